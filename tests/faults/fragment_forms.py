"""Instructions that can carry an FS or GS override: rows of opcodes, and hypothesis strategies that encode them.

A row is "prefixes opcode /field immediate flags name": prefixes and opcode in hexadecimal; /r: any register, /v: any
vector register, /0-/7: part of the opcode; ib or iz; flags: w (REX.W and 66 make sense), W (REX.W only), l (LOCK is
allowed), 32 or 64 (that mode only), b (the register is a bit number), D (may raise #DE).
"""

from __future__ import annotations

from hypothesis import strategies as st

ROWS = """
00 /r l add8|01 /r wl add|02 /r add8|03 /r w add|08 /r l or8|09 /r wl or|0a /r or8|0b /r w or|10 /r l adc8
11 /r wl adc|12 /r adc8|13 /r w adc|18 /r l sbb8|19 /r wl sbb|1a /r sbb8|1b /r w sbb|20 /r l and8|21 /r wl and
22 /r and8|23 /r w and|28 /r l sub8|29 /r wl sub|2a /r sub8|2b /r w sub|30 /r l xor8|31 /r wl xor|32 /r xor8
33 /r w xor|38 /r cmp8|39 /r w cmp|3a /r cmp8|3b /r w cmp|63 /r w64 movsxd|63 /r 32 arpl|62 /r 32 bound
69 /r iz w imul|6b /r ib w imul|80 /0 ib l add8|80 /1 ib l or8|80 /2 ib l adc8|80 /3 ib l sbb8|80 /4 ib l and8
80 /5 ib l sub8|80 /6 ib l xor8|80 /7 ib cmp8|81 /0 iz wl add|81 /1 iz wl or|81 /2 iz wl adc|81 /3 iz wl sbb
81 /4 iz wl and|81 /5 iz wl sub|81 /6 iz wl xor|81 /7 iz w cmp|83 /0 ib wl add|83 /1 ib wl or|83 /2 ib wl adc
83 /3 ib wl sbb|83 /4 ib wl and|83 /5 ib wl sub|83 /6 ib wl xor|83 /7 ib w cmp|82 /0 ib 32 add8|82 /7 ib 32 cmp8
84 /r test8|85 /r w test|86 /r l xchg8|87 /r wl xchg|88 /r mov8|89 /r w mov|8a /r mov8|8b /r w mov|8c /0 w moves
8c /3 w movds|8c /4 w movfs|8c /5 w movgs|8f /0 w pop|c0 /0 ib rol8|c0 /4 ib shl8|c0 /7 ib sar8|c1 /1 ib w ror
c1 /2 ib w rcl|c1 /3 ib w rcr|c1 /5 ib w shr|d0 /0 rol8|d0 /5 shr8|d1 /4 w shl|d1 /2 w rcl|d2 /4 shl8|d2 /1 ror8
d3 /5 w shr|d3 /3 w rcr|d3 /7 w sar|c6 /0 ib mov8|c7 /0 iz w mov|f6 /0 ib test8|f6 /2 l not8|f6 /3 l neg8|f6 /4 mul8
f6 /5 imul8|f6 /6 D div8|f6 /7 D idiv8|f7 /0 iz w test|f7 /2 wl not|f7 /3 wl neg|f7 /4 w mul|f7 /5 w imul|f7 /6 wD div
f7 /7 wD idiv|fe /0 l inc8|fe /1 l dec8|ff /0 wl inc|ff /1 wl dec|ff /6 w push|ff /2 call|ff /4 jmp|d8 /0 fadd
d8 /3 fcomp|d8 /6 fdiv|d9 /0 fld|d9 /2 fst|d9 /3 fstp|d9 /4 fldenv|d9 /5 fldcw|d9 /6 fnstenv|d9 /7 fnstcw|da /0 fiadd
da /5 fisubr|db /0 fild|db /1 fisttp|db /3 fistp|db /5 fldt|db /7 fstpt|dc /1 fmul|dc /4 fsub|dd /0 fld|dd /1 fisttp
dd /2 fst|dd /3 fstp|dd /4 frstor|dd /6 fnsave|dd /7 fnstsw|de /1 fimul|de /7 fidivr|df /0 fild|df /1 fisttp
df /2 fist|df /4 fbld|df /5 fild|df /6 fbstp|df /7 fistp|0f00 /0 sldt|0f00 /1 str|0f00 /4 verr|0f00 /5 verw
0f01 /0 sgdt|0f01 /1 sidt|0f01 /4 smsw|0f02 /r w lar|0f03 /r w lsl|0f10 /v movups|66 0f10 /v movupd|f3 0f10 /v movss
f2 0f10 /v movsd|0f11 /v movups|66 0f11 /v movupd|f3 0f11 /v movss|f2 0f11 /v movsd|0f12 /v movlps|66 0f12 /v movlpd
f3 0f12 /v movsldup|f2 0f12 /v movddup|0f13 /v movlps|66 0f13 /v movlpd|0f14 /v unpcklps|0f15 /v unpckhps
0f16 /v movhps|66 0f16 /v movhpd|f3 0f16 /v movshdup|0f17 /v movhps|66 0f17 /v movhpd|0f28 /v movaps|66 0f28 /v movapd
0f29 /v movaps|0f2a /v cvtpi2ps|66 0f2a /v cvtpi2pd|f3 0f2a /v W cvtsi2ss|f2 0f2a /v W cvtsi2sd|0f2b /v movntps
f3 0f2c /r W cvttss2si|f2 0f2c /r W cvttsd2si|0f2c /v cvttps2pi|f3 0f2d /r W cvtss2si|f2 0f2d /r W cvtsd2si
0f2d /v cvtps2pi|0f2e /v ucomiss|66 0f2e /v ucomisd|0f2f /v comiss|66 0f2f /v comisd|0f40 /r w cmovo|0f44 /r w cmove
0f45 /r w cmovne|0f4c /r w cmovl|0f51 /v sqrtps|f3 0f51 /v sqrtss|f2 0f51 /v sqrtsd|0f52 /v rsqrtps|0f54 /v andps
66 0f55 /v andnpd|0f57 /v xorps|0f58 /v addps|f3 0f58 /v addss|f2 0f58 /v addsd|66 0f59 /v mulpd|f2 0f59 /v mulsd
f3 0f5a /v cvtss2sd|f2 0f5a /v cvtsd2ss|0f5b /v cvtdq2ps|f3 0f5b /v cvttps2dq|f2 0f5c /v subsd|0f5d /v minps
f2 0f5e /v divsd|f3 0f5f /v maxss|66 0f60 /v punpcklbw|0f61 /v punpcklwd|66 0f67 /v packuswb|66 0f6c /v punpcklqdq
0f6e /v W movd|66 0f6e /v W movd|0f6f /v movq|66 0f6f /v movdqa|f3 0f6f /v movdqu|0f70 /v ib pshufw
66 0f70 /v ib pshufd|f3 0f70 /v ib pshufhw|f2 0f70 /v ib pshuflw|66 0f74 /v pcmpeqb|0f75 /v pcmpeqw|66 0f76 /v pcmpeqd
66 0f7c /v haddpd|f2 0f7d /v hsubps|0f7e /v W movd|66 0f7e /v W movd|f3 0f7e /v movq|0f7f /v movq|66 0f7f /v movdqa
f3 0f7f /v movdqu|0f90 /0 seto|0f94 /0 sete|0f9f /3 setg|0fa3 /r wb bt|0fab /r wlb bts|0fb3 /r wlb btr|0fbb /r wlb btc
0fa4 /r ib w shld|0fa5 /r w shld|0fac /r ib w shrd|0fad /r w shrd|0fae /0 W fxsave|0fae /1 W fxrstor|0fae /2 ldmxcsr
0fae /3 stmxcsr|0fae /7 clflush|0faf /r w imul|0fb0 /r l cmpxchg8|0fb1 /r wl cmpxchg|0fb6 /r w movzx|0fb7 /r w movzx
0fbe /r w movsx|0fbf /r w movsx|f3 0fb8 /r w popcnt|0fba /4 ib w bt|0fba /5 ib wl bts|0fba /6 ib wl btr
0fba /7 ib wl btc|0fbc /r w bsf|0fbd /r w bsr|f3 0fbc /r w tzcnt|f3 0fbd /r w lzcnt|0fc0 /r l xadd8|0fc1 /r wl xadd
0fc2 /v ib cmpps|f2 0fc2 /v ib cmpsd|0fc3 /r W movnti|0fc4 /v ib pinsrw|66 0fc4 /v ib pinsrw|0fc6 /v ib shufps
66 0fc6 /v ib shufpd|0fc7 /1 Wl cmpxchg8b|66 0fd0 /v addsubpd|0fd4 /v paddq|66 0fd6 /v movq|66 0fd8 /v psubusb
66 0fdb /v pand|f3 0fe6 /v cvtdq2pd|0fe7 /v movntq|66 0fe7 /v movntdq|0feb /v por|66 0fef /v pxor|f2 0ff0 /v lddqu
66 0ff4 /v pmuludq|66 0ffe /v paddd|0ff1 /v psllw|66 0f3800 /v pshufb|0f3801 /v phaddw|66 0f3810 /v pblendvb
66 0f3814 /v blendvps|66 0f3817 /v ptest|66 0f3820 /v pmovsxbw|66 0f382a /v movntdqa|66 0f3835 /v pmovzxdq
66 0f3840 /v pmulld|66 0f38db /v aesimc|66 0f38dc /v aesenc|66 0f38df /v aesdeclast|0f38f0 /r w movbe
0f38f1 /r w movbe|f2 0f38f0 /r W crc32|f2 0f38f1 /r w crc32|66 0f38f6 /r W adcx|f3 0f38f6 /r W adox
66 0f3a08 /v ib roundps|66 0f3a0b /v ib roundsd|66 0f3a0f /v ib palignr|0f3a0f /v ib palignr|66 0f3a14 /v ib pextrb
66 0f3a15 /v ib pextrw|66 0f3a16 /v ib W pextrd|66 0f3a17 /v ib extractps|66 0f3a20 /v ib pinsrb
66 0f3a21 /v ib insertps|66 0f3a22 /v ib W pinsrd|66 0f3a40 /v ib dpps|66 0f3a44 /v ib pclmulqdq
66 0f3a60 /v ib pcmpestrm|66 0f3a61 /v ib pcmpestri|66 0f3a62 /v ib pcmpistrm|66 0f3a63 /v ib pcmpistri
66 0f3adf /v ib aeskeygenassist
"""


class Row:
    """An opcode with its form."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self.name = words.pop()
        self.prefix = bytes.fromhex(words.pop(0)) if words[0] in ("66", "f2", "f3") else b""
        self.opcode = bytes.fromhex(words.pop(0))
        self.field = words.pop(0)[1]
        self.immediate = words.pop(0) if words and words[0] in ("ib", "iz") else ""
        flags = words.pop() if words else ""
        assert not words, text
        self.modes = (64,) if "64" in flags else (32,) if "32" in flags else (64, 32)
        self.wide, self.half, self.lock = "w" in flags or "W" in flags, "w" in flags, "l" in flags
        self.bit_number = "b" in flags
        self.may_divide_badly = "D" in flags

    def __repr__(self) -> str:
        return f"{self.name} {(self.prefix + self.opcode).hex()} /{self.field}"


TABLE = [Row(text) for line in ROWS.strip().splitlines() for text in line.split("|")]


class Form:
    """An encoded instruction: `code`, and `lea`, which computes the same address into RAX."""

    def __init__(self, row: Row, bits: int, segment: int, code: bytes, lea: bytes, register: int) -> None:
        self.relative = bits == 64 and lea[lea.index(b"\x8d") + 1] & 0xC7 == 5
        self.row, self.bits, self.segment, self.code, self.lea, self.register = row, bits, segment, code, lea, register

    def __repr__(self) -> str:
        return f"{self.row!r} {self.bits} bits: {self.code.hex()}"


@st.composite
def forms(draw: st.DrawFn, row: Row, bits: int) -> Form:
    """Draw an encoding of `row`."""
    segment = draw(st.sampled_from((4, 5)))
    override = bytes((0x60 + segment,))
    small = draw(st.integers(0, 7)) == 0
    half = row.half and draw(st.booleans())
    wide = bits == 64 and row.wide and draw(st.booleans())
    if row.opcode in (b"\x8f", b"\xff") and row.name in ("push", "pop"):
        half = draw(st.integers(0, 7)) == 0
    rex = 0
    if bits == 64 and draw(st.booleans()):
        rex = 0x40 | draw(st.integers(0, 7))
    if wide:
        rex |= 0x48
    field = draw(st.integers(0, 7)) if row.field in "rv" else int(row.field)
    if row.field not in "rv":
        rex &= ~4
    mod, rm = draw(st.integers(0, 2)), draw(st.integers(0, 7))
    operand = bytes((rm | mod << 6,))
    if bits == 32 and small:
        size = 2 if mod == 0 and rm == 6 else mod
    else:
        size = (0, 1, 4)[mod]
        if rm == 4:
            sib = draw(st.integers(0, 255))
            operand += bytes((sib,))
            if mod == 0 and sib & 7 == 5:
                size = 4
        elif mod == 0 and rm == 5:
            size = 4
    operand += draw(st.binary(min_size=size, max_size=size))
    lea = (b"\x67" if small else b"") + (bytes((rex & 0x43 | 0x48,)) if bits == 64 else b"") + b"\x8d" + operand
    immediate = b""
    if row.immediate:
        length = 1 if row.immediate == "ib" else 2 if half and not wide else 4
        immediate = draw(st.binary(min_size=length, max_size=length))
        if row.name in ("cmpps", "cmpsd"):
            immediate = bytes((immediate[0] & 7,))
    prefixes = [override, *([b"\x67"] if small else []), *([b"\x66"] if half else [])]
    if row.lock and draw(st.integers(0, 3)) == 0:
        prefixes.append(b"\xf0")
        if draw(st.integers(0, 3)) == 0 and not row.prefix:
            prefixes.append(draw(st.sampled_from((b"\xf2", b"\xf3"))))  # xacquire, xrelease
    if row.prefix:
        prefixes.append(row.prefix)
    prefixes = draw(st.permutations(prefixes))
    code = b"".join(prefixes) + (bytes((rex,)) if rex else b"") + row.opcode
    code += bytes((operand[0] | field << 3,)) + operand[1:] + immediate
    return Form(row, bits, segment, code, lea, field | (rex & 4) << 1)
