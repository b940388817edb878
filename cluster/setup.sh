#!/usr/bin/env bash
# Makes this machine able to run xpshpc: system packages, a Python environment, and the patched Horovod.
#
#   cluster/setup.sh [options]
#
#   --python PATH   the Python 3.11 to use (also: the variable PYTHON); by default one is looked for
#   --venv DIR      where the environment goes; by default .venv beside this repository's pyproject.toml
#   --without-mpi   Horovod with Gloo only: no MPI compiler and no mpirun needed
#   --with-nccl     for NVIDIA GPUs: TensorFlow with CUDA, Horovod with NCCL (CUDA and NCCL must be installed, see
#                   cluster/horovod_wheel.sh). Nobody has tested this build yet.
#   --without-slurm no SLURM: `xpshpc cluster up` and the tests that need it are not available on this machine
#   --no-apt        install no system packages, only name those that are missing
#   --dry-run       say what would be done, change nothing
#   --help          this text
#
# What is there is left as it is: a second call checks and ends within a second. System packages are installed by apt
# where we are root or sudo asks for no password; elsewhere the list for the administrator is printed, and the set-up
# goes on with what is there. Versions come from cluster/constraints.txt. Horovod is compiled once for each user (some
# minutes) and kept in $XPSHPC_CACHE, by default ~/.cache/xpshpc; logs are kept there too.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XPSHPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xpshpc}
readonly root cache

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
}

say() {
  printf '%s\n' "$1"
}

fail() {
  printf 'setup: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  try: %s\n' "$2" >&2
  exit 5
}

venv=$root/.venv base_python=${PYTHON:-} wants_mpi=1 nccl=0 slurm=1 apt=1 dry_run=0
while [ $# -gt 0 ]; do
  case $1 in
    --python | --venv)
      [ -n "${2:-}" ] || { printf 'setup: %s needs a value\n' "$1" >&2 && exit 2; }
      if [ "$1" = --python ]; then base_python=$2; else venv=$(realpath -m "$2"); fi
      shift
      ;;
    --without-mpi) wants_mpi=0 ;;
    --with-nccl) nccl=1 ;;
    --without-slurm) slurm=0 ;;
    --no-apt) apt=0 ;;
    --dry-run) dry_run=1 ;;
    --help) usage && exit 0 ;;
    *) printf 'setup: unknown option %s\n  try: cluster/setup.sh --help\n' "$1" >&2 && exit 2 ;;
  esac
  shift
done
readonly venv base_python wants_mpi nccl slurm apt dry_run stamp=$venv/.xpshpc-setup without=$venv/.xpshpc-without

is_python_311() {
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

[ -z "$base_python" ] || is_python_311 "$base_python" ||
  fail "$base_python is no Python 3.11" "--python with the path of one, or neither --python nor PYTHON"
[ ! -e "$venv" ] || [ -f "$venv/pyvenv.cfg" ] || [ -z "$(ls -A "$venv")" ] ||
  fail "$venv is there and is no Python environment" "--venv with another folder"

# ---- What was done before -------------------------------------------------------------------------------------------

# Whatever decides how the environment comes out. The base Python is not asked for: finding it takes longer than all
# the rest, and the environment's own interpreter tells its version.
fingerprint() {
  {
    cat "$root/pyproject.toml" "$root/cluster/constraints.txt" "$root/cluster/setup.sh" "$root/cluster/horovod_wheel.sh" \
      "$root"/cluster/patches/*
    echo "$root $base_python $wants_mpi $nccl"
    "$venv/bin/python" -c 'import sys; print(sys.version)'
    if [ $wants_mpi = 1 ]; then mpirun --version 2>/dev/null || echo "no MPI"; fi
  } | sha256sum | cut -d ' ' -f 1
}

# The stamp tells of the last set-up; packages may have been changed by hand since.
is_up_to_date() {
  local wrong
  slurm_is_settled || return 1
  [ -x "$venv/bin/xpshpc" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint 2>/dev/null)" ] || return 1
  wrong=$("$venv/bin/python" -m xpshpc.cluster.readiness.pins 2>&1) && return 0
  say "The environment was changed since its set-up: $(paste -s -d , <<<"$wrong" | sed 's/,/, /g')"
  return 1
}

# The environment is the same with SLURM and without. What the last set-up could not get is not tried for again.
slurm_is_settled() {
  local missing
  [ $slurm = 1 ] || return 0
  missing=$(missing_slurm)
  [ -z "$missing" ] || [ $apt = 0 ] || [ "$missing" = "$(cat "$without" 2>/dev/null)" ]
}

# ---- The system -----------------------------------------------------------------------------------------------------

find_python() {
  local candidate
  for candidate in ${base_python:+"$base_python"} python3.11 python3 python "$HOME"/.pyenv/versions/3.11*/bin/python3.11 \
    "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}"/cpython-3.11*/bin/python3.11; do
    if command -v "$candidate" >/dev/null && is_python_311 "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# By what is needed, not by what the packages are called: a machine with its own MPI, conda or pyenv is complete.
missing_packages() {
  local python
  if ! { command -v "${CXX:-g++}" && command -v make; } >/dev/null; then echo build-essential; fi
  if ! command -v cmake >/dev/null; then echo cmake; fi
  if ! command -v patch >/dev/null; then echo patch; fi
  if [ $wants_mpi = 1 ] && ! { command -v mpicxx && command -v mpirun; } >/dev/null; then echo libopenmpi-dev openmpi-bin; fi
  if ! python=$(find_python); then
    echo python3.11 python3.11-venv
  elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo python3.11-venv
  fi
}

# Daemons lie where users seldom look for programs. PMIx is a library, for `srun --mpi=pmix`; a file system with a quota
# is what the tests of a used-up one need.
missing_slurm() {
  local PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  if ! command -v slurmctld >/dev/null; then echo slurmctld; fi
  if ! command -v slurmd >/dev/null; then echo slurmd; fi
  if ! command -v srun >/dev/null; then echo slurm-client; fi
  if ! command -v munged >/dev/null; then echo munge; fi
  if ! command -v ip >/dev/null; then echo iproute2; fi
  if ! command -v mkfs.btrfs >/dev/null; then echo btrfs-progs; fi
  if [ $wants_mpi = 1 ] && ! ldconfig -p | grep 'libpmix\.so\.2' >/dev/null; then echo libpmix2; fi
}

may_install() {
  [ $apt = 1 ] && command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

install_packages() {
  local package found=() otherwise=--no-apt
  [ "$(id -u)" = 0 ] || as=(sudo -n)
  run_logged "Refreshing the list of system packages" "${as[@]}" apt-get -o DPkg::Lock::Timeout=300 update
  for package in $packages; do
    is_offered "$package" || lacking_package "$package"
  done
  for package in $slurm_packages; do
    if is_offered "$package"; then
      found+=("$package")
    else
      say "This system has no package $package: SLURM on this machine (\`xpshpc cluster up\`) has to do without."
    fi
  done
  keep_daemons_off
  [ -z "$(dpkg --audit 2>/dev/null)" ] || run_logged "Finishing an interrupted installation of system packages" \
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive dpkg --configure -a
  # shellcheck disable=SC2086 # one word a package
  [ -z "$packages" ] || apt_install "Installing system packages" $packages
  [ ${#found[@]} = 0 ] || otherwise=--without-slurm apt_install "Installing SLURM" "${found[@]}"
  let_daemons_be
}

is_offered() {
  [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]
}

apt_install() {
  local title=$1
  shift
  run_logged "$title: $*" "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@"
}

# SLURM's packages would start its daemons for the whole machine; ours are started by `xpshpc cluster up`. A policy
# that a killed set-up left behind is ours too.
as=() policy=
keep_daemons_off() {
  local text=$'#!/bin/sh\n# Of xpshpc, while its set-up installs packages.\nexit 101'
  [ ! -e /usr/sbin/policy-rc.d ] || [ "$(cat /usr/sbin/policy-rc.d)" = "$text" ] || return 0
  policy=/usr/sbin/policy-rc.d
  "${as[@]}" install -m 755 /dev/stdin "$policy" <<<"$text"
}

let_daemons_be() {
  [ -z "$policy" ] || "${as[@]}" rm -f "$policy"
  policy=
}

lacking_package() {
  case $1 in
    python3.11*) lacking_python ;;
    *) fail "this system has no package $1" "install what it stands for by hand, then: cluster/setup.sh --no-apt" ;;
  esac
}

lacking_python() {
  fail "no Python 3.11 here, and no system package of it" "one of these, then the same command again:
       uv python install 3.11        (uv: https://docs.astral.sh/uv, or: pipx install uv)
       pyenv install 3.11            (https://github.com/pyenv/pyenv)
       sudo add-apt-repository ppa:deadsnakes/ppa && sudo apt-get install python3.11-venv        (Ubuntu)"
}

# ---- Long steps -----------------------------------------------------------------------------------------------------

job=
stop_job() {
  if [ -n "$job" ] && kill -TERM -- "-$job" 2>/dev/null; then wait "$job" || true; fi
  let_daemons_be
  rm -rf "${scratch:-}"
}

# How far make says it is; nothing for other commands.
percent_done() {
  tail -c 20000 "$log" | grep -oE '\[ *[0-9]+%\]' | tail -n 1 | sed 's/[][ ]//g; s/^/  /' || true
}

# Runs a command in its own process group, its output in the log, and shows that it is alive.
run_logged() {
  local title=$1 started=$SECONDS last=0 elapsed
  shift
  printf '\n==== %s\n%s\n' "$title" "$*" >>"$log"
  [ -t 1 ] || say "$title"
  setsid "$@" >>"$log" 2>&1 </dev/null &
  job=$!
  while kill -0 "$job" 2>/dev/null; do
    elapsed=$((SECONDS - started))
    if [ -t 1 ]; then
      printf '\r\033[K%s  %d s%s' "$title" "$elapsed" "$(percent_done)"
    elif [ $((elapsed - last)) -ge 30 ]; then
      last=$elapsed
      say "$title  $elapsed s$(percent_done)"
    fi
    sleep 0.2
  done
  local status=0
  wait "$job" || status=$?
  job=
  if [ -t 1 ]; then printf '\r\033[K%s  %d s\n' "$title" $((SECONDS - started)); fi
  [ $status = 0 ] && return
  printf '\n' >&2
  tail -n 25 "$log" >&2
  fail "this failed: $title" "read $log${otherwise:+, or leave it out: cluster/setup.sh $otherwise}"
}

# ---- The environment ------------------------------------------------------------------------------------------------

# pyproject's requirements but Horovod, whose source from the index does not build with this TensorFlow.
requirements() {
  "$venv/bin/python" - "$root" $nccl <<'PYTHON'
import re
import sys
import tomllib
from pathlib import Path

root, nccl = Path(sys.argv[1]), sys.argv[2] == "1"
project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
pins = (root / "cluster" / "constraints.txt").read_text()
gpu = "tensorflow[and-cuda]==" + re.search(r"^tensorflow[_-]cpu==(\S+)", pins, re.MULTILINE)[1]
for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
    if not line.startswith("horovod"):
        print(gpu if nccl and line.startswith("tensorflow-cpu") else line)
print("cloudpickle", "pyyaml", "setuptools", "wheel", sep="\n")
PYTHON
}

make_environment() {
  local python pip wheel options=()
  python=$(find_python) || lacking_python
  if [ -f "$venv/pyvenv.cfg" ] && ! is_python_311 "$venv/bin/python"; then options=(--clear); fi
  run_logged "Making the environment $venv" "$python" -m venv "${options[@]}" "$venv"
  pip=("$venv/bin/python" -m pip --disable-pip-version-check --no-input)

  scratch=$(mktemp -d "${TMPDIR:-/tmp}/xpshpc-setup.XXXXXXXX")
  export TMPDIR=$scratch # pip's own leavings go with it
  requirements >"$scratch/requirements.txt"
  run_logged "Installing $(grep -c == "$root/cluster/constraints.txt") pinned packages" \
    "${pip[@]}" install --constraint "$root/cluster/constraints.txt" --requirement "$scratch/requirements.txt"

  options=()
  if [ $mpi = 0 ]; then options+=(--without-mpi); fi
  if [ $nccl = 1 ]; then options+=(--with-nccl); fi
  run_logged "Providing Horovod (some minutes, the first time)" "$root/cluster/horovod_wheel.sh" "$venv/bin/python" "${options[@]}"
  wheel=$("$root/cluster/horovod_wheel.sh" "$venv/bin/python" "${options[@]}" 2>>"$log")
  run_logged "Installing Horovod" "${pip[@]}" install --no-deps --no-index --force-reinstall "$wheel"
  run_logged "Installing xpshpc" "${pip[@]}" install --no-deps --no-build-isolation --editable "$root"
  if [ $nccl = 0 ]; then run_logged "Checking the environment" "${pip[@]}" check; fi
}

# ---- From here on, things are done ----------------------------------------------------------------------------------

if is_up_to_date; then
  say "The environment is up to date: $venv"
  exit
fi

packages=$(missing_packages | paste -s -d ' ') slurm_packages=
if [ $slurm = 1 ]; then slurm_packages=$(missing_slurm | paste -s -d ' '); fi
installs=0
if [ -n "$packages$slurm_packages" ] && may_install; then installs=1; fi
if [ -n "$packages" ] && [ $installs = 0 ]; then
  say "Missing system packages. Ask the administrator for: apt-get install $packages"
fi
mpi=$wants_mpi
if [[ $packages = *openmpi* ]] && [ $installs = 0 ]; then
  say "No MPI here: Horovod gets Gloo only, and launcher = \"mpirun\" is not available."
  mpi=0
fi
if [ -n "$slurm_packages" ] && [ $installs = 0 ]; then
  say "No SLURM to start here: \`xpshpc cluster up\` is not available, everything else is. It needs:
  apt-get install --no-install-recommends $slurm_packages"
fi
readonly packages slurm_packages installs mpi

if [ $dry_run = 1 ]; then
  [ $installs = 0 ] || [ -z "$packages" ] || say "Would install system packages: $packages"
  [ $installs = 0 ] || [ -z "$slurm_packages" ] || say "Would install SLURM: $slurm_packages"
  say "Would make the environment $venv with ${base_python:-$(find_python || echo python3.11)}"
  say "Would install $(grep -c == "$root/cluster/constraints.txt") packages pinned by cluster/constraints.txt"
  say "Would install the patched Horovod with $([ $mpi = 1 ] && echo "Gloo and MPI" || echo Gloo)$([ $nccl = 0 ] || echo " and NCCL"), built once and kept in $cache/wheels"
  exit
fi

mkdir -p "$cache/logs"
log=$cache/logs/setup.log
exec 8>"$cache/setup.lock"
flock --nonblock 8 || { say "Another set-up is running; waiting for it." && flock 8; }
: >"$log"
trap stop_job EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if is_up_to_date; then
  say "The environment is up to date: $venv"
  exit
fi
rm -f "$stamp"
[ $installs = 0 ] || install_packages
make_environment
fingerprint >"$stamp"
[ $slurm = 0 ] || [ $apt = 0 ] || missing_slurm >"$without"
say "Done. $venv/bin/xpshpc is ready; details: $log"
