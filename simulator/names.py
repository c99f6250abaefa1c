"""Chinese firm and person names: 行政区划 + 字号 + 行业 + 组织形式, and the ways systems write one name differently."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

REGIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "gd": (("广东", "440000"), ("广州", "440100"), ("深圳", "440300"), ("珠海", "440400"), ("汕头", "440500"),
           ("佛山", "440600"), ("惠州", "441300"), ("东莞", "441900"), ("中山", "442000")),
    "js": (("江苏", "320000"), ("南京", "320100"), ("无锡", "320200"), ("徐州", "320300"), ("常州", "320400"),
           ("苏州", "320500"), ("南通", "320600"), ("扬州", "321000"), ("镇江", "321100")),
}  # fmt: skip
PROVINCE_NAMES = {"gd": "广东", "js": "江苏"}

INDUSTRY_WORDS: dict[str, tuple[str, ...]] = {
    "GOV": ("公共事务服务", "城市建设投资", "水务投资"),
    "FIN": ("投资管理", "融资租赁", "小额贷款", "保险经纪", "证券投资咨询"),
    "EDU": ("教育咨询", "教育科技", "职业培训"),
    "MED": ("医药", "医疗器械", "生物医药", "健康管理"),
    "MFG": ("机械制造", "电子", "精密仪器", "塑胶制品", "汽车零部件", "家具制造", "化工", "纺织"),
    "TRD": ("商贸", "贸易", "百货", "进出口", "食品", "服装"),
    "TRN": ("物流", "运输", "供应链管理", "国际货运代理"),
    "ENE": ("电力工程", "新能源", "燃气", "环保能源"),
    "ICT": ("科技", "网络科技", "软件", "信息技术", "通信技术", "数据服务"),
    "OTH": ("实业", "建筑工程", "酒店管理", "文化传播", "物业管理", "广告"),
}
FORMS = ("有限公司", "有限公司", "有限公司", "有限责任公司", "股份有限公司")
BRANCH_TAILS = ("分公司", "分公司", "分公司", "营业部", "办事处", "分店")
_TRADE = (
    "华恒盛达联诚鸿荣飞远汇宝润庆顺腾鑫泽凯嘉信隆丰兴龙凤创新中天海力博德明源康瑞祥泰安和通亿利金银东方正大智云科美佳"
    "伟立成永昌茂晟辉宏图昊宇翔鹏程万里星辰光耀振邦国威长江南粤珠城建友谊众合汉唐秦越君悦豪景锦绣山河松柏青禾田园"
)
# True characters of real trade names whose GBK second byte is 0x7C `|` (珅 瑋 緗) or 0x5C `\` (玕 璡), or that take 4 bytes (㙦).
AWKWARD = "珅瑋緗玕璡㙦"
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红建国志文斌辉婷鹏雪慧博宇晨欣怡佳俊豪子轩梓涵浩然"
_STREETS = ("人民", "中山", "解放", "建设", "天河", "科学", "软件", "滨江", "长安", "友谊", "高新", "产业")

_SIMPLE = "东广苏华国业责团贸电讯网络软设备机运输医药疗学银险证营厅实发创兴龙凤丰达联锦诚鸿荣飞远汇宝润庆顺腾泽凯"
_TRADITIONAL = "東廣蘇華國業責團貿電訊網絡軟設備機運輸醫藥療學銀險證營廳實發創興龍鳳豐達聯錦誠鴻榮飛遠匯寶潤慶順騰澤凱"
TRADITIONAL = str.maketrans(
    _SIMPLE + "东图长众汉亿伟辉万振邦绣园广务资务经纪询训疗仪胶车动际货动环传数据术应链场贝",
    _TRADITIONAL + "東圖長眾漢億偉輝萬振邦繡園廣務資務經紀詢訓療儀膠車動際貨動環傳數據術應鏈場貝",
)
_TYPOS = str.maketrans("科技贸易物流信息管理工程电子制造服务网络有限", "料持贺昜勿硫倍恩菅埋土呈电孑制照服条罔络有跟")


@dataclass(frozen=True, slots=True)
class NameParts:
    """The anatomy of a firm's name; `tail` is a branch's own part after its parent's full name."""

    region: str
    trade: str
    industry: str
    form: str
    bracketed: bool = False
    tail: str = ""

    def full(self) -> str:
        """The registered name."""
        if self.bracketed:
            return f"{self.trade}（{self.region}）{self.industry}{self.form}{self.tail}"
        return f"{self.region}{self.trade}{self.industry}{self.form}{self.tail}"

    def short(self) -> str:
        """What people call the firm."""
        return f"{self.trade}{self.industry[:2]}{self.tail}"


def trade_name(rng: random.Random, awkward: bool) -> str:
    """A 字号 of two to four characters; an awkward one holds a character that breaks byte-wise splitting."""
    length = rng.choices((2, 3, 4), weights=(60, 25, 15))[0]
    chars = rng.sample(_TRADE, length)
    if awkward:
        chars[rng.randrange(length)] = rng.choice(AWKWARD)
    return "".join(chars)


def person(rng: random.Random) -> str:
    """A person's name."""
    return rng.choice(_SURNAMES) + "".join(rng.sample(_GIVEN, rng.choice((1, 2, 2))))


def phone(rng: random.Random) -> str:
    """A mobile number with a Unicom prefix."""
    return rng.choice(("130", "131", "132", "155", "156", "166", "175", "176", "185", "186")) + f"{rng.randrange(10**8):08d}"


def address(rng: random.Random, province: str, city: str) -> str:
    """A street address."""
    town = f"{city}市" if city != PROVINCE_NAMES[province] else ""
    street = rng.choice(_STREETS) + rng.choice(("", "", "东", "西", "南", "北"))
    room = f"{rng.randrange(1, 40)}楼{rng.randrange(1, 30):02d}室"
    return f"{PROVINCE_NAMES[province]}省{town}{street}路{rng.randrange(1, 900)}号{room}"


def _half_width(parts: NameParts) -> str:
    return parts.full().replace("（", "(").replace("）", ")")


def _region_into_brackets(parts: NameParts) -> str:
    return replace(parts, bracketed=not parts.bracketed).full()


def _region_half_width(parts: NameParts) -> str:
    return _half_width(replace(parts, bracketed=True))


def _suffix_dropped(parts: NameParts) -> str:
    return replace(parts, form="").full()


def _typing_error(parts: NameParts) -> str:
    return replace(parts, industry=parts.industry.translate(_TYPOS)).full()


def _city_marked(parts: NameParts) -> str:
    marker = "省" if parts.region in PROVINCE_NAMES.values() else "市"
    return replace(parts, region=parts.region + marker).full()


VARIANTS: dict[str, Callable[[NameParts], str]] = {
    "bracket_width": _half_width,
    "region_in_brackets": _region_into_brackets,
    "region_half_width": _region_half_width,
    "traditional": lambda parts: parts.full().translate(TRADITIONAL),
    "suffix_dropped": _suffix_dropped,
    "short_name": NameParts.short,
    "typing_error": _typing_error,
    "city_marked": _city_marked,
    "inner_space": lambda parts: parts.full().replace(parts.industry, f" {parts.industry}"),
}


def variant(rng: random.Random, parts: NameParts) -> tuple[str, str]:
    """(kind, name): a way to write the name that differs from the registered one."""
    kinds = list(VARIANTS)
    rng.shuffle(kinds)
    name = parts.full()
    for kind in kinds:
        other = VARIANTS[kind](parts)
        if other not in (name, ""):
            return kind, other
    raise AssertionError(f"no variant of {name!r} differs from it")
