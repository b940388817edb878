#!/usr/bin/env bash
# Prints the path of a Horovod wheel that fits one Python environment; builds it if this user has none yet.
#
#   cluster/horovod_wheel.sh PYTHON [--without-mpi] [--with-nccl]
#
# PYTHON is the environment's interpreter. It must have TensorFlow, setuptools, wheel, packaging, cloudpickle, psutil and
# PyYAML. --without-mpi builds for Gloo only, where there is no MPI compiler. --with-nccl builds for NVIDIA GPUs: CUDA and
# NCCL must be found (HOROVOD_CUDA_HOME and HOROVOD_NCCL_HOME are passed on); nobody has tested that build yet.
#
# Wheels are kept in $XPSHPC_CACHE/wheels (by default ~/.cache/xpshpc/wheels), one folder for each combination of Python,
# C library, TensorFlow, MPI, CPU or NCCL, and patch. The source comes from pip's index, or from PIP_FIND_LINKS where
# there is no network; its hash is checked before anything of it is run. The build's output goes to standard error.
set -euo pipefail

readonly version=0.28.1
readonly sdist_sha256=92a43f5a94c43907a56805bad15f19700c62ffc83b7ca483f9e104e229f67ef0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly patches=("$here"/patches/horovod-"$version"-*.patch)

fail() {
  printf 'horovod wheel: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  try: %s\n' "$2" >&2
  exit 5
}

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  exit "$1"
}

mpi=1 nccl=0 python=
for argument in "$@"; do
  case $argument in
    --without-mpi) mpi=0 ;;
    --with-nccl) nccl=1 ;;
    --help) usage 0 ;;
    -*) usage 2 >&2 ;;
    *) python=$argument ;;
  esac
done
[ -n "$python" ] || usage 2 >&2

tensorflow_version() {
  "$python" - <<'PYTHON'
from importlib.metadata import PackageNotFoundError, version

for name in ("tensorflow-cpu", "tensorflow"):
    try:
        print(version(name))
        break
    except PackageNotFoundError:
        pass
PYTHON
}

# Open MPI names itself in the first line of `mpirun --version`, MPICH and its relatives in the first two.
mpi_name() {
  if [ $mpi = 0 ]; then
    echo nompi
  else
    mpirun --version 2>/dev/null | head -n 2 | tr -cs 'A-Za-z0-9.' '-' | sed 's/^mpirun-//; s/-$//' | cut -c1-60
  fi
}

# Everything that decides whether a wheel fits, in words, as the name of its folder.
wheel_key() {
  local tags tensorflow libc device=cpu patch_hash
  tags=$("$python" -c 'import sys, sysconfig
print(f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}")')
  tensorflow=$(tensorflow_version)
  [ -n "$tensorflow" ] || fail "no TensorFlow in the environment of $python" "cluster/setup.sh"
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | tr -d ' ' || echo libc)
  [ $nccl = 0 ] || device=nccl
  patch_hash=$(cat "${patches[@]}" | sha256sum | cut -c1-12)
  echo "$tags-$libc-tensorflow$tensorflow-$(mpi_name)-$device-patch$patch_hash"
}

require_build_tools() {
  local tool missing=()
  for tool in "${CXX:-g++}" make cmake patch tar; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} = 0 ] || fail "to build Horovod, these are missing: ${missing[*]}" \
    "ask the administrator for: apt-get install build-essential cmake patch"
  [ $mpi = 0 ] || command -v mpicxx >/dev/null || fail "no mpicxx: Horovod cannot be built with MPI" \
    "module load openmpi (or its like), or --without-mpi"
}

# Pip checks the hash before it opens the archive, and opening runs the archive's setup.py.
fetch_source() {
  printf 'horovod==%s --hash=sha256:%s\n' "$version" "$sdist_sha256" >"$work/requirement.txt"
  "$python" -m pip --disable-pip-version-check download --no-input --no-deps --no-binary horovod --no-cache-dir \
    --no-build-isolation --require-hashes --requirement "$work/requirement.txt" --dest "$work" >&2 ||
    fail "the source of Horovod $version could not be had, or is not the one that was tested" \
      "see pip's words above; without a network, put horovod-$version.tar.gz into a folder and set PIP_FIND_LINKS to it"
  echo "$sdist_sha256  $work/horovod-$version.tar.gz" | sha256sum --check --quiet >&2 ||
    fail "horovod-$version.tar.gz has another SHA-256 than the one that was tested"
}

build_wheel() {
  local patch options=(HOROVOD_WITH_TENSORFLOW=1 HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_MXNET=1 HOROVOD_WITH_GLOO=1)
  if [ $mpi = 1 ]; then options+=(HOROVOD_WITH_MPI=1); else options+=(HOROVOD_WITHOUT_MPI=1); fi
  if [ $nccl = 1 ]; then options+=(HOROVOD_GPU=CUDA HOROVOD_GPU_OPERATIONS=NCCL); fi
  tar xzf "$work/horovod-$version.tar.gz" --directory "$work" --no-same-owner
  for patch in "${patches[@]}"; do
    patch --directory "$work/horovod-$version" --strip 1 --forward --batch <"$patch" >&2 ||
      fail "$(basename "$patch") does not apply to Horovod $version"
  done
  # CMake 4 refuses the age of the bundled libraries' scripts unless told a lowest policy version.
  env "${options[@]}" CMAKE_POLICY_VERSION_MINIMUM=3.5 MAKEFLAGS="${MAKEFLAGS:--j$(build_jobs)}" \
    PATH="$(dirname "$python"):$PATH" \
    "$python" -m pip --disable-pip-version-check wheel --no-input --no-cache-dir --no-deps --no-build-isolation \
    --verbose --wheel-dir "$work/wheel" "$work/horovod-$version" >&2 ||
    fail "Horovod could not be built" "see the compiler's words above"
}

# A compiler here takes up to 1.5 GB, and a login node is not ours alone.
build_jobs() {
  awk -v cores="$(nproc)" '/^MemAvailable/ { jobs = int($2 / 1500000) }
    END { if (jobs > cores) jobs = cores; if (jobs > 8) jobs = 8; print (jobs < 1 ? 1 : jobs) }' /proc/meminfo
}

print_cached_wheel() {
  local wheel
  for wheel in "$folder"/horovod-"$version"-*.whl; do
    if [ -f "$wheel" ]; then
      printf '%s\n' "$wheel"
      return
    fi
  done
  return 1
}

[ $mpi = 0 ] || command -v mpirun >/dev/null || fail "no mpirun: Horovod cannot be used with MPI" \
  "module load openmpi (or its like), or --without-mpi"
key=$(wheel_key)
folder=${XPSHPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xpshpc}/wheels/$key
if print_cached_wheel; then exit; fi

require_build_tools
mkdir -p "$folder"
exec 9>"$folder/lock"
flock --nonblock 9 || { echo "waiting for another build of the same wheel" >&2 && flock 9; }
if print_cached_wheel; then exit; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/xpshpc-horovod.XXXXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export TMPDIR=$work # pip's and the compiler's own leavings go with it
rm -f "$folder"/.partial-*
fetch_source
build_wheel
built=("$work"/wheel/horovod-"$version"-*.whl)
cp "${built[0]}" "$folder/.partial-$$"
mv "$folder/.partial-$$" "$folder/$(basename "${built[0]}")"
print_cached_wheel
