"""Small tables of wafer maps as pandas pickled them, and others made by hand, as its older versions wrote them."""

from __future__ import annotations

import base64
import pickle
import struct
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, ClassVar

import numpy as np

MAPS = (
    ((2, 2, 0, 1, 2, 2), (0, 1, 1, 1, 0, 2), (2, 1, 0, 2, 2, 0), (2, 0, 2, 1, 2, 0), (2, 1, 2, 2, 2, 2)),
    ((1, 1, 2, 0), (1, 0, 2, 0), (0, 1, 1, 2), (0, 0, 1, 1)),
    ((0, 1, 2, 0, 0, 0), (2, 2, 2, 0, 2, 0), (0, 0, 2, 1, 0, 2), (2, 1, 0, 0, 2, 1), (1, 0, 2, 0, 0, 0)),
    ((0, 0, 1, 2), (0, 0, 2, 2), (1, 1, 1, 2), (1, 2, 2, 1)),
)
LABELS = ("Donut", "none", None, "Near-full")
PARTS = ("Training", "Test", None, "Test")
COLUMNS = ("waferMap", "dieSize", "lotName", "waferIndex", "trianTestLabel", "failureType")

PICKLED = {
    "pandas 1.5.3, numpy 1.26.4, protocol 2": (
        r"c-nPViGS2Y6wWSfDM7Jn6;DJ(SX3%i(4t5SA_{>;hobSQak4vYBH8SI$*iSF1=Mb-_kG{@E#CJD-uLZ)qw{i=A|$_;m)U*u9q%_g"
        r"vs?3}8u!aQ>?l<O(a|69iqMyH$yY>g(B^JKZW#H3*`#TjRT&5{X~GQGmm=`F7j{&*&j&;h>dU-pX~UX$q@yV<w>;Ml$Ln>g?$_MX"
        r"22WTvP0-O?^6Qn_P>frtd(!1Wz=w1z5T&Xg%Aj77I$Gi?U13JwVzQx)ptWR`s%23Mb>Y*CjwxnNDYl`TEh>9lx_&37Hn1PV{-c=2"
        r"a6rMx8F{0rfwly)EQe}p=7DBj&FJsKL1WuTaWF%B!I%`GEyf|mVsX{K>WUtQCUK}e=1eh{YU#D4C(iSG_CDUZqdTcgK4?vHTMwo?"
        r"O5kA(hf5q`mn_S!yQ&MmW$B^kmXx$3mE>k4KZ>Imj;1_=;TWgcX>p=1%yg8sV;PPkYfWVBcqewVwhOb!%?S*%Q#YG2XQG>KiGn@W"
        r"hq;9m@I(SUiQ(izMBLKAyace`i4Fohg<-w|bmsi8F`ZFkW~kbHUdvJBa_W^rQ+F;3b>UQUeHz08iG_B`d^$0o!O)diS>((oz%~V#"
        r"Q<D`={GuK>lOWDwSS)dN2C;-7x*2*h@k?U}(xlN$C55!894k{fg4M8$0MB7qE^%%KxPk!BV>mz4v~pZijHpnQCgm%KRRm!$td>|~"
        r"M?W90Dmzhh;yb}yOPCihTu7MeZh$2nUf+dv)Zt!+_0(Zndd5t}+bVHU)Z3Y=s#iszf~#;<_`Br+a&j@rFc~h9xHNNe8L?i@(3i1Z"
        r"k+Lp;MXXmc@Qk%BX0`3qEU^j|p$bVXC1NQv2#NlTWq?>52A5bgLu=qFr+sX~y0(X;2z6|j%iu{=vZ+2ztuoXyffyGUkid{Z?kTXo"
        r"Z-G~nz(IzM5<?lwCStjUVRObZoU$y$wZyW8VQa?H9<ywVSlU(9auwC2+4Yp^I%2w>;RcD3jHy9PqYT?Krm=B9HxkoL3^(uT=a$Tm"
        r"zZ(<z!mY$|8^i4qcVsMg63bl-cV`X1M>X70oxL}!xsPh@XLuk}@?ffD5gsBX4>LTHDVY^3c{EZoOH~yU1w2`J^JuS3{Ci2@F;e$9"
        r"!xIuu+G<TamC-*<^v^In8~uhx@LWRfcHwy<e}Un}lzifT@=~_u(<`6krX)8f87~w4D-5qnyk^rjxr5>L2Hxnyn}t12ud>)E!Va5<"
        r"LbrS|Xsx7AbiB3ivZUheVZ0Ncie+_N;@#BXdt~r^h7ZVK%LqPnW~(jrqk`G0N(Xtr2-ff#J~k)QOjoRPHwk<ajnwu~REI7;HTASK"
        r";=*U<G+JDN%l%#v%GKN!9zHjxQs=qr)dSJ14laD58oe{#X?()jRjfDgCBs+F-rWS;9}qgDXX5GWVSH0?b`?$PWGHzc@vWgnh@q_3"
        r"@SV|=3`7mz8##sl1H+G^fu9(Dj{hR4GZep=Q<A<!e<<*4G`1>2@~BzA_2Ku3gG(8N_+uD<MyIsZ@9}{Ue+}brb2@$PdDX$tD%Wf3"
        r"_~TMo9$63Z&-Soxcl-y3!HT#"
    ),
    "pandas 2.3.3, numpy 2.4.6, protocol 4": (
        r"c-p;H-EPw`6m~+=l?`p3m|zGr?P3?>f`~~VKtgPy6B2|4X^hJ$a$2W}mL`$yXbdq4E;d%lcQbE*cm>{qXW<Rt*vZzeKa49J9Ur?n"
        r"=ledp@$o0?>(3g}P0Z&wZDZ!NGD@6~;x3Wm>L%v+g&v>EyPxHuTosnz?NBL}2E*f&6Pn_LIbEFM4xvnnYtNIcwYOEyAzj?4GW;YC"
        r"SU*LIIloBrxV4uMKTtV3I4!#Qf#YlVZjta9Q;H7&)~BSErHs>}#Z{!OBc+%Ea2;|gU34UyMj*e)ZMo_iuIXCGGMW>1n;+zADZ&gN"
        r"%ic-({)#Z3O3(9N{f4GH7jYT%nj7WLJgfZu3G-j;rAO7gUirp`1Q<~diWualuuz*NaZB-oCfhX?ec4Ad(QGuYWJlM}L|a<)qA=fF"
        r"kos{*>bjD;D_2JWY`0bd6l;Be$QifNCDTNPGQ&WosSLqmXoIHKF-hQ~UbA69BqSlE2GEU<FZDqD5>jD6qFBI}oZvMEx{M9!bVva<"
        r"kf+&%m1KNPMqBzBNrtD~igyEh8Qp=caF+qOt~X(M2goTH28+Sc0pFP@tdIR*7`t(f-B8#BjDhiqSja_yb-UO64_tk$hr?J4=U5Ay"
        r"ke^k1Q2Zm_-?XIzc;wQ3h{8*#o(xm1oKvlM6$P&T)_Y)KwTz@PMNh_mZ%3LT9{ylP&dzdm`t`S~npJtb@`|H8=Eo8as#v^OIosqt"
        r"VNQS<)Z1x4CHwwM^&3=)=$o+5#=7#hp&H9ksWq6~Q#C-;_i;$*7S5p@wqx=({s5p;a5Ow!&ZqV35>m`^8sl__F#Z|`B#~k!#Bowk"
        r"vZHDw(T6HkX<l)xO4N68Yn*V3(~g4PR(?Qj^uvRC$1&wlj)lc|mP^-C0|Em>V-nTDg#uL>?i#havwO$y5{~t9ccE-z&f!Kml%nQ`"
        r"3GV3OO`IgzKJ(i}4n-An;wNeuOrEeJaQ*;_Eh>o"
    ),
    "pandas 3.1.1, numpy 2.4.6, protocol 5": (
        r"c-pm9&ui2`6i#-N?Y7mn(xL@Rtx#b-xL8oADE8N)*w_edJ(e)Z&Tc}pNk}HND;D+8Z3_b)I`-t<zrz1XZ{GCHWYYb?N)KX|mzmjl"
        r"@B6;@CcOEme{n_>@z7F)f;vhV9jzgPUc{({**Uxai5;;D)vQ)CW^_LDsXAedt6o5G93VfbworhYIEL73>wf6$Z)Ix;r#EGU<$HG0"
        r"4PkWBN`uIA_I+&GJVrPNX)9`1Edk$3ed3`wMs0w#V(f%LLgLgR+*22xjE(@fa5-m&a?CbVo1L(2RxwngXlNbgPEx&2+7VBM7Tzqg"
        r"v(s$9NY(euG|kQ5@Q9bOLYRHF2gy$N%78hJJ%`b8s}YASJ8d*XW|fQitZ+)9ps3tb6{g%2_^HC+VeTv~q)T05cdnmS0a`;hN*zYk"
        r"4MxDpy<54MlHe);0cJLV7jy3!n#in@yXHC+?g8|iAI3}#j3Qj&fr6zQm~&*2;0+w0c^Jonble4t!4Q}S7W9lw!2;R7?JM&$US?wf"
        r"5X(GM)li3N;J_Fx0V9_{k9x}Xl*3H@1tw2Kgf*52!Un6Y7|MUpFe71VV4<u@+6VP`5NhU%ssuey_+P4G4CcHjw@itQ<iS1wYe?a~"
        r"w2bx1AnW1~Rt#$nKdbaVnjH1sbMme_r{b}MH45C#9p})ieZbG<^5N?6^^X<lDA#2<POb8y6uMtIE!(LF9VdX^q$j@T@Rk9o=^1yf"
        r"fKK-{G|_w@V$QOn_F=cBnYA^(vyPm7T<5*#x(v$$#&<~U1<f_tyf*KYerl$mQ1ZQ6-nU9oo48@XUViwMiSKZ~3HJtXdG2)H@HAN5"
        r"77a}EL$bu&ul&bPqyvX?49OM^wVTTc<F2#)9leeZaZ<HWf*BpN0(@Y-;{SmP(52^daU;~>mS8S*Klf-qcdrszx)fPHK+s9IPy}7P"
        r"?%^Hp9dM3-a+BXYbWCh#jC2ADf`VO~kk`n@K9sM4JU@-`E-#Txk!k^tG*iL+4Fr#Eqo9d<RJ-3zI9!5a0@nrA5)wwt(D($yL=};k"
        r"zu>}y>cd^gvuudFkd9g{Opr)>555sZ2;6u_a6DGSM@=!kg?v9eNUVAq!54%GwtTKPVW&xISN{O=K27o"
    ),
}


def unpack(text: str) -> bytes:
    """The pickle of one entry of PICKLED."""
    return zlib.decompress(base64.b85decode(text))


def bracketed(name: str | None) -> Any:
    """A label as the public file holds it: [['Donut']], or an array of nothing."""
    return np.array([[name]]) if name else np.empty((0, 0))


def object_column(cells: list[Any]) -> Any:
    column = np.empty(len(cells), dtype=object)
    for place, cell in enumerate(cells):
        column[place] = cell
    return column


def pickle_block_tuple(
    cells: dict[str, list[Any]], *, module: str = "pandas.core.internals", index_module: str = "pandas.indexes.base"
) -> bytes:
    """A table whose block manager's state is the tuple of pandas 0.14 to 1.2, with the text of Python 2.

    One block holds all columns; `cells` are theirs.
    """
    names = list(cells)
    block = {
        "values": np.stack([object_column(column) for column in cells.values()]),
        "mgr_locs": slice(0, len(names), 1),
    }
    with _modules("pandas.core.frame", module, index_module) as made:
        index, new_index = made(index_module, "Index"), _function(index_module, "_new_Index")
        frame, manager = made("pandas.core.frame", "DataFrame"), made(module, "BlockManager")
        axes = [
            Made(new_index, (index, {"data": object_column(names), "name": None})),
            Made(new_index, (index, {"start": 0, "stop": 4, "step": 1})),
        ]
        inner = {"axes": axes, "blocks": [block]}
        made_manager, made_frame = manager(), frame()
        made_manager.state = (axes, [block["values"]], [axes[0]], {"0.14.1": inner})
        made_frame.state = {"_data": made_manager, "_typ": "dataframe", "_metadata": []}
        written = BytesIO()
        _Python2Pickler(written, protocol=2).dump(made_frame)
    return written.getvalue()


class Made:
    """Pickled as the call of something with these arguments."""

    def __init__(self, call: Any, arguments: tuple[Any, ...]) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


class _Python2Pickler(pickle._Pickler):
    """Writes text and bytes as Python 2's byte strings."""

    dispatch: ClassVar[dict[type, Callable[..., None]]] = dict(pickle._Pickler.dispatch)


def _save_string(pickler: Any, text: str | bytes) -> None:
    raw = text if isinstance(text, bytes) else text.encode("latin1")
    pickler.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
    pickler.memoize(text)


_Python2Pickler.dispatch.update({str: _save_string, bytes: _save_string})


@contextmanager
def _modules(*names: str) -> Iterator[Callable[[str, str], Any]]:
    """Empty modules of these names, and those above them, for a while, and what makes classes in them."""
    wanted = {
        ".".join(parts[: depth + 1]) for parts in (name.split(".") for name in names) for depth in range(len(parts))
    }
    absent = sorted(wanted - set(sys.modules))
    for name in absent:
        sys.modules[name] = types.ModuleType(name)

    def make(module: str, name: str) -> Any:
        made = type(name, (), {"__module__": module, "__getstate__": lambda self: self.state})
        setattr(sys.modules[module], name, made)
        return made

    try:
        yield make
    finally:
        for name in absent:
            del sys.modules[name]


def _function(module: str, name: str) -> Any:
    def stand_in(*arguments: object) -> None:
        raise AssertionError("only its name is pickled")

    stand_in.__module__, stand_in.__qualname__, stand_in.__name__ = module, name, name
    setattr(sys.modules[module], name, stand_in)
    return stand_in
