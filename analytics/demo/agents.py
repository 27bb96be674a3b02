"""User agent strings as real players send them, and what each says about its device."""

import hashlib
from dataclasses import dataclass

from analytics.models import Device

PHONE = Device.HardwareType.PHONE
TABLET = Device.HardwareType.TABLET
COMPUTER = Device.HardwareType.COMPUTER
TV = Device.HardwareType.TV
CONSOLE = Device.HardwareType.CONSOLE
BOT = Device.HardwareType.BOT
OTHER = Device.HardwareType.OTHER

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7"
LINUX = "Mozilla/5.0 (X11; Linux x86_64"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@dataclass(frozen=True, slots=True)
class Agent:
    """One string with its parsed device, and the kinds of platform it is met on."""

    kinds: tuple[str, ...]
    hardware_type: str
    hardware: str
    os: str
    browser: str
    text: str

    @property
    def hash(self) -> str:
        """Return the key of `Device`: SHA-256 of the string, the first 16 bytes in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]


def chrome(major: int) -> str:
    return f"Chrome/{major}.0.0.0"


def desktop_chrome(system: str, name: str, hardware: str, major: int) -> Agent:
    """Return Chrome on a computer."""
    text = f"{system}) {WEBKIT} {chrome(major)} Safari/537.36"
    return Agent(("web",), COMPUTER, hardware, name, "Chrome", text)


def desktop_edge(major: int) -> Agent:
    """Return Edge on Windows."""
    text = f"{WINDOWS}) {WEBKIT} {chrome(major)} Safari/537.36 Edg/{major}.0.0.0"
    return Agent(("web",), COMPUTER, "PC", "Windows", "Edge", text)


def desktop_firefox(system: str, name: str, hardware: str, major: int) -> Agent:
    """Return Firefox on a computer."""
    text = f"{system}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0"
    return Agent(("web",), COMPUTER, hardware, name, "Firefox", text)


def desktop_safari(version: str) -> Agent:
    """Return Safari on a Mac."""
    text = f"{MAC}) {APPLE_WEBKIT} Version/{version} Safari/605.1.15"
    return Agent(("web",), COMPUTER, "Mac", "Mac OS X", "Safari", text)


def iphone(system: str, version: str) -> Agent:
    """Return Safari on a telephone of Apple."""
    text = (
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {system} like Mac OS X) {APPLE_WEBKIT}"
        f" Version/{version} Mobile/15E148 Safari/604.1"
    )
    return Agent(("web", "ios"), PHONE, "iPhone", "iOS", "Mobile Safari", text)


def ipad(system: str, version: str) -> Agent:
    """Return Safari on a tablet of Apple."""
    text = (
        f"Mozilla/5.0 (iPad; CPU OS {system} like Mac OS X) {APPLE_WEBKIT}"
        f" Version/{version} Mobile/15E148 Safari/604.1"
    )
    return Agent(("web", "ios"), TABLET, "iPad", "iOS", "Mobile Safari", text)


def android(release: int, model: str, brand: str, major: int) -> Agent:
    """Return Chrome on an Android telephone."""
    text = (
        f"Mozilla/5.0 (Linux; Android {release}; {model}) {WEBKIT}"
        f" {chrome(major)} Mobile Safari/537.36"
    )
    return Agent(("web", "android"), PHONE, brand, "Android", "Chrome Mobile", text)


def android_tablet(release: int, model: str, brand: str, major: int) -> Agent:
    """Return Chrome on an Android tablet."""
    text = (
        f"Mozilla/5.0 (Linux; Android {release}; {model}) {WEBKIT} {chrome(major)} Safari/537.36"
    )
    return Agent(("web", "android"), TABLET, brand, "Android", "Chrome", text)


def television(hardware: str, system: str, browser: str, text: str) -> Agent:
    return Agent(("tv", "other"), TV, hardware, system, browser, text)


def console(hardware: str, system: str, browser: str, text: str) -> Agent:
    return Agent(("tv",), CONSOLE, hardware, system, browser, text)


def bot(name: str, text: str) -> Agent:
    return Agent(("bot",), BOT, "Spider", "Other", name, text)


AGENTS = (
    desktop_chrome(WINDOWS, "Windows", "PC", 120),
    desktop_chrome(WINDOWS, "Windows", "PC", 124),
    desktop_chrome(WINDOWS, "Windows", "PC", 131),
    desktop_chrome(MAC, "Mac OS X", "Mac", 124),
    desktop_chrome(MAC, "Mac OS X", "Mac", 131),
    desktop_chrome(LINUX, "Linux", "PC", 126),
    desktop_chrome("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0", "Chrome OS", "Chromebook", 130),
    desktop_edge(119),
    desktop_edge(125),
    desktop_edge(131),
    desktop_firefox(WINDOWS, "Windows", "PC", 115),
    desktop_firefox(WINDOWS, "Windows", "PC", 128),
    desktop_firefox("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15", "Mac OS X", "Mac", 127),
    desktop_firefox("Mozilla/5.0 (X11; Ubuntu; Linux x86_64", "Ubuntu", "PC", 126),
    desktop_safari("16.6"),
    desktop_safari("17.4.1"),
    desktop_safari("18.1"),
    Agent(
        ("web",),
        COMPUTER,
        "PC",
        "Windows",
        "Opera",
        f"{WINDOWS}) {WEBKIT} Chrome/127.0.0.0 Safari/537.36 OPR/113.0.0.0",
    ),
    iphone("15_6_1", "15.6.1"),
    iphone("16_7_8", "16.6"),
    iphone("17_5_1", "17.5"),
    iphone("17_6_1", "17.6"),
    iphone("18_0", "18.0"),
    iphone("18_1", "18.1"),
    Agent(
        ("web", "ios"),
        PHONE,
        "iPhone",
        "iOS",
        "Chrome Mobile iOS",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1",
    ),
    ipad("15_8", "15.6.6"),
    ipad("16_7", "16.6"),
    ipad("17_5", "17.5"),
    android(10, "K", "Generic", 120),
    android(10, "K", "Generic", 131),
    android(11, "SM-A125F", "Samsung", 108),
    android(12, "SM-A515F", "Samsung", 115),
    android(13, "SM-S901B", "Samsung", 112),
    android(14, "SM-S918B", "Samsung", 124),
    android(13, "Pixel 6", "Google", 114),
    android(14, "Pixel 8 Pro", "Google", 125),
    android(12, "M2101K6G", "Xiaomi", 110),
    android(13, "2201116SG", "Xiaomi", 118),
    android(11, "CPH2239", "OPPO", 109),
    android(10, "ELE-L29", "Huawei", 103),
    android(13, "moto g power (2022)", "Motorola", 117),
    Agent(
        ("web", "android"),
        PHONE,
        "Samsung",
        "Android",
        "Samsung Internet",
        f"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S911B) {WEBKIT}"
        " SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
    ),
    android_tablet(12, "SM-X200", "Samsung", 119),
    android_tablet(13, "SM-X700", "Samsung", 122),
    android_tablet(9, "KFMAWI", "Amazon", 110),
    android_tablet(11, "Lenovo TB-X606F", "Lenovo", 106),
    television(
        "Samsung",
        "Tizen",
        "Samsung Internet",
        "Mozilla/5.0 (SMART-TV; LINUX; Tizen 5.5) AppleWebKit/537.36 (KHTML, like Gecko)"
        " 69.0.3497.106.1/5.5 TV Safari/537.36",
    ),
    television(
        "Samsung",
        "Tizen",
        "Samsung Internet",
        "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko)"
        " 76.0.3809.146/6.0 TV Safari/537.36",
    ),
    television(
        "LG",
        "webOS",
        "Chrome",
        "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/79.0.3945.79 Safari/537.36 WebAppManager",
    ),
    television(
        "LG",
        "webOS",
        "Chrome",
        "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/87.0.4280.88 Safari/537.36 WebAppManager",
    ),
    television(
        "Sony",
        "Android",
        "Chrome",
        "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2 Build/PTT1.190515.001.S52)"
        " AppleWebKit/537.36 (KHTML, like Gecko) Chrome/88.0.4324.152 Safari/537.36",
    ),
    television(
        "Apple TV",
        "tvOS",
        "AppleCoreMedia",
        "AppleCoreMedia/1.0.0.19J346 (Apple TV; U; CPU OS 15_0 like Mac OS X; en_us)",
    ),
    television(
        "Apple TV",
        "tvOS",
        "AppleCoreMedia",
        "AppleCoreMedia/1.0.0.21K79 (Apple TV; U; CPU OS 17_1 like Mac OS X; fr_fr)",
    ),
    television(
        "Amazon",
        "Android",
        "Chrome",
        "Mozilla/5.0 (Linux; Android 7.1.2; AFTMM Build/NS6265; wv) AppleWebKit/537.36"
        " (KHTML, like Gecko) Version/4.0 Chrome/70.0.3538.110 Mobile Safari/537.36",
    ),
    television(
        "Google",
        "Chromecast",
        "Chrome",
        "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000 DeviceType/Chromecast",
    ),
    television("Roku", "Roku", "Roku", "Roku/DVP-9.10 (519.10E04111A)"),
    console(
        "Sony",
        "PlayStation",
        "Safari",
        "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15"
        " (KHTML, like Gecko) Version/13.0 Safari/605.1.15",
    ),
    console(
        "Sony",
        "PlayStation",
        "Safari",
        "Mozilla/5.0 (PlayStation 4 3.11) AppleWebKit/537.73 (KHTML, like Gecko)",
    ),
    console(
        "Microsoft",
        "Windows",
        "Edge",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36"
        " (KHTML, like Gecko) Chrome/58.0.3029.110 Safari/537.36 Edge/16.16299",
    ),
    Agent(("other",), OTHER, "Other", "Other", "Other", "VLC/3.0.18 LibVLC/3.0.18"),
    Agent(("other",), OTHER, "Other", "Other", "Other", "Lavf/58.76.100"),
    bot(
        "Googlebot",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ),
    bot(
        "bingbot",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    ),
)
