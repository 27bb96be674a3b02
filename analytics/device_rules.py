"""
What kind of hardware a user agent string names: an ordered table, the first match decides.

The patterns run in the engine that ua-parser brings (Rust's regex: time grows with the length
of the string, whatever it says). It has no look-around, so what must not match is caught by a
rule further up.
"""

from dataclasses import dataclass

from analytics.models import Device

BOT = Device.HardwareType.BOT
COMPUTER = Device.HardwareType.COMPUTER
CONSOLE = Device.HardwareType.CONSOLE
OTHER = Device.HardwareType.OTHER
PHONE = Device.HardwareType.PHONE
TABLET = Device.HardwareType.TABLET
TV = Device.HardwareType.TV


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of hardware and the pattern that tells it, in any letter case."""

    hardware_type: Device.HardwareType
    pattern: str
    hardware: str = ""
    """The brand, where the pattern tells it."""
    os: str = ""
    """The system, where user-agents does not know it."""


def words(text: str) -> str:
    """Return a pattern that matches any of the patterns in a text, parted by white space."""
    return "|".join(text.split())


# Where an Android string names the model, and where the name ends.
MODEL = r"android [\d.]+;(?: [a-z]{2}-[a-z]{2};)? "
MODEL_END = r"(?: build|\)|;)"
# The diagonals in which televisions are made.
SCREEN_INCHES = r"(?:19|2[0248]|3[29]|4[0-39]|5[0158]|6[05]|7[057]|8[2356]|98)"

BOTS = (
    # Names of telephones and tablets that read like a robot's.
    Rule(TABLET, r"cubot[ _](?:tab|kidpad)|bot[ _]tab[ _\d]|; spider \d"),
    Rule(
        PHONE,
        words(
            r"""
            cubot[\s_-] ;\s(?:[a-z]\sbot|power\sbot)\s ;\sxbot[\s_] whatsapp/[\d.]+\sandroid
        """
        ),
    ),
    Rule(
        BOT,
        words(
            r"""
            bot(?:[^a-z]|$) bot(?:en|s)\b crawl spider slurp scrap(?:y|er|ing) archiver
            fetch(?:er|or) facebookexternalhit facebookcatalog whatsapp/ skypeuripreview
            bingpreview mediapartners-google embedly link\s?preview google-[a-z] googleother
            googledocs feedfetcher lighthouse page\s?speed gtmetrix pingdom uptime
            statuscake site24x7 newrelicpinger monitor(?:ing)?\b nutch heritrix httrack
            headless phantomjs validat(?:or|ion) w3c[-_] checklink link\s?check
            scan(?:ner)?/ scanner masscan nmap zgrab nikto sqlmap inspect/ jndi: wordpress/
            newsblur inoreader freshrss simplepie datadog censys wappalyzer thumbnail
            imageproxy image\sproxy health\s?check synthetics bytedance -user/\d analyzer
            metadata \bips-agent retriever research favicon vkshare tumblr/ flipboard
            pinterest/0 outbrain qwantify ahrefs semrush mj12 teoma ask\sjeeves
            yandex(?:images|video|media|metrika|direct|webmaster)
        """
        ),
    ),
    # Readers of feeds on a desk leave an address, and next to them only robots do.
    Rule(
        COMPUTER,
        words(
            r"""
            newsbeuter/ newsboat/ liferea/ akregator/ feeddemon/ rssowl/ xbmc/ netnewswire/
            quiterss/ rssbandit/ feedstation/ evergreen\s\(mac juice/ seamonkey/
            thunderbird/ gpodder/
        """
        ),
    ),
    Rule(
        BOT,
        words(
            r"""
            \(compatible;.*\+?https?: \+\s?(?:https?://|www\.)
            https?://[^\s)]*(?:bot|crawl|spider|policy|about)
        """
        ),
    ),
)

# Televisions that call themselves an iPad or say the words of an iPhone.
NO_TABLETS = (
    Rule(TV, r"ipad.*#tcl/", "TCL"),
    Rule(TV, r"\bapple ?tv", "Apple"),
)

APPLE = (
    Rule(TABLET, r"\bipad", "Apple"),
    Rule(PHONE, r"\biphone|\bipod|\biph\d+,\d|_iphone\d", "Apple"),
)

CONSOLES = (
    Rule(CONSOLE, r"play ?station|\bps[345][ ;/)]|\bpsp\b", "Sony", "PlayStation"),
    Rule(CONSOLE, r"nintendo|\bwii ?u?\b|; switch\)|\bswitch (?:lite|oled)\b", "Nintendo"),
    Rule(CONSOLE, r"\bxbox", "Microsoft"),
    Rule(CONSOLE, r"\bouya\b", "OUYA"),
    Rule(CONSOLE, r"dreamcast|dreampassport|dreamkey|segasaturn", "Sega"),
    Rule(CONSOLE, r"aplix_sanyo", "Sanyo"),
    Rule(CONSOLE, r"steam ?deck|valve steam gameoverlay|\bsteamos\b", "Valve"),
    Rule(
        CONSOLE,
        words(
            r"""
            retroid ;\srg\s?(?:cube|arc|ds|28|35|353|405|406|476|505|552|556)[a-z]*\b ayaneo
            ;\sg\scloud anbernic ayn[\s_]odin ;\sodin\s?2 \bgpd\s?xd \bgpd\s?win
        """
        ),
    ),
    Rule(CONSOLE, r"\bjxd[ _-]|archos gamepad|\bgamemt|moqi i7|razer edge"),
    Rule(CONSOLE, r"; (?:nvidia )?shield(?: portable)?(?: build|\))", "Nvidia"),
)

# Watches, glasses, loudspeakers, cars, cameras: known, and none of the kinds above.
NEITHER = (
    Rule(OTHER, r"watch ?os|\bwatch\d,\d|apple ?watch|applewatch", "Apple"),
    Rule(OTHER, r"\bsm-[rl]\d{3}|galaxy watch|gear s\d|family hub", "Samsung"),
    Rule(OTHER, r"ticwatch|wear ?os|android wear|smartwatch"),
    Rule(
        OTHER,
        words(
            r"""
            oculus ;\squest(?:\s[23]s?|\spro)(?:\sbuild|\)) mobile\svr pico\s(?:neo|4|g\d)
            vive\sfocus
        """
        ),
    ),
    Rule(OTHER, r"\baeo[a-z]{2,3}\b|\balexa\b", "Amazon"),
    Rule(OTHER, r"sonos/[\d.-]+ \(zps|^sonos;", "Sonos"),
    Rule(OTHER, r"audioos|homepod|carplay|tesla/|qtcarbrowser|android automotive"),
    Rule(OTHER, r"\bek-g[nc]\d|coolpix|dmc-cm1|kindle/[123]\.|\bkobo\b"),
)

# Telephones with a tuner, and makers whose names sound like television.
TUNERS = (
    Rule(
        PHONE,
        words(
            r"""
            [\s_]x?dtv\d?(?:\)|\sbuild) ;\s\w*lite\s?dtv letv[\s_]x avatar\stv
            era[\s_](?:hd|4k) turbo\s?x runbo\s?x coolpad padfone phonepad kuriophone
            ;\sk0(?:00e|00g|00z|012|016|019|01n)\b sm-f\d{3} vivo tecno\s(?:k|a) sgh- lg-h9
            hs-t9 yndx-000sb mlled \bms[45]\db?\d?a?\d{4} lenovo\sk5\d htc_m8 iqoo\sz joy_tv
            wpdesktop telekom\spuls ;\sodyssey blaupunkt_tx
        """
        ),
    ),
    Rule(
        TABLET,
        words(
            r"""
            m-mp\w+ techpad \bmyt\d\sdtv nettab iconbit\smatrix aoson endeavour x_tigi_joy7
            idbot mx10\d\d winmax\stx thinkpad\s?tab
        """
        ),
    ),
    Rule(
        TABLET,
        words(
            r"""
            superion hdtv.*build/lmy47d ;\sona\d\dtb ;\ssn\d0t teclast x98\sair mx10\d\d_4g
            ;\sodys[\s_] xelio maven
        """
        ),
    ),
)

TELEVISIONS = (
    # Players and systems that only televisions and boxes have.
    Rule(TV, r"\broku", "Roku"),
    Rule(TV, r"\bapple ?tv|\btvos|\batv\d,\d", "Apple"),
    Rule(TV, r"crkey|chromecast|google ?tv|nexus player|\badt-\d|google fiber", "Google"),
    Rule(TV, r"\baft[a-z0-9]{1,10}\b|fire ?tv", "Amazon"),
    Rule(
        TV,
        words(
            r"""
            tizen.{0,60}\btv\b smart-?tv.{0,30}tizen maple[\s_]?(?:\d|browser) smarthub
            samsung.{0,20}smart-?tv sec_hhp_.{0,4}tv
        """
        ),
        "Samsung",
    ),
    Rule(
        TV,
        words(
            r"""
            \bweb0s\b webos\s?tv webos[.]tv linux/smarttv netcast lg\sbrowser
            lg\ssimple\ssmart
        """
        ),
        "LG",
    ),
    Rule(TV, r"bravia|\bsony.{0,12}(?:dtv|tv)\b|sonycebrowser|nsz-g[sxt]", "Sony"),
    Rule(TV, r"\bviera|panasonic.{0,30}(?:tv|diga)|panatv|hybridcast", "Panasonic"),
    Rule(
        TV,
        words(
            r"""
            philips.{0,10}tv nettv philips.{0,30}(?:pus|phs|pfs|pfl|hfl|oled)\d
        """
        ),
        "Philips",
    ),
    Rule(TV, r"vidaa|hisense.{0,40}(?:tv|smarttv)|hisense; ?smart", "Hisense"),
    Rule(TV, r"aquos.{0,3}tv|aquosbrowser|\bsharp.{0,10}tv", "Sharp"),
    Rule(TV, r"\bbravo?sign|brightsign", "BrightSign"),
    Rule(TV, r"\btivo\b|tivoos", "TiVo"),
    Rule(TV, r"vizio|smartcast", "Vizio"),
    Rule(TV, r"\bmibox|\bmi ?tv|\bmi box", "Xiaomi"),
    Rule(
        TV,
        words(
            r"""
            shield(?:[\s_-]android)?[\s_]tv nvidia[\s_]shield[\s_]pro shieldexperience
        """
        ),
        "Nvidia",
    ),
    Rule(TV, r"\byndx-\d{5}", "Yandex"),
    # Words of television platforms, whoever made the set.
    Rule(
        TV,
        words(
            r"""
            hbb-?tv ce-html smart[-_\s]?(?:tv|box|hub|stick) smarttv inett?v dtvbrowser
            dlnadoc hybridtv netrange tv\s?store \bomi/\d vstvb vestel-mb vestel\smb espial
            netgem freebox \bbbox movistar \bsraf/ \bodin/\d coolita zeasn \btbrowser
            titanos \bsaphi/ foxxum \bfxm- \bmb\d{2,3}/\d ;\sstv; \bstb [^o]stb\b stb\d
            set-?top iptv settop leanback android\s?tv andr0id \bdvb tivimate \bloewe
            grundig technisat dreambox \bvu\+ enigma2 dune\s?hd infomir \bmag\s?\d{3}\b
            popcornhour \bhumax sagemcom wpe\ssky mmi,\s?vms astro; qtwebkit/.*wired avdn/
            ,\s?(?:wired|wireless)\) -device/[\d.]+\s\(sky panasonic\.bd aquos-as
            westerndigital/ webtv/ redlineclient gt-b9150 next\s.{2,30}_vlc/
        """
        ),
    ),
    # A television says so in its name: TV, _TV, BeyondTV5, GoogleTV; a box or a stick likewise.
    Rule(
        TV,
        words(
            r"""
            \btv\b [a-ce-z]tv[_)] [a-ce-z]tv\d?(?:\sbuild|\)) [a-km-z]tv\s [_\s.-]tv[_\s-]
            \btv[-_\s]?(?:box|stick|dongle) [^-m]box[\d.]*\b [^-m]box[_)-] [^-m]box\d
            tv-?box \bstick\b [_\s]stick streaming\s(?:box|stick) streamer [-_\s]hdmi
            \batv\b _atv\b \d?tv[-_\s]?box
        """
        ),
    ),
    # Android on a panel: the name of the shell and of the panel, the size, the resolution.
    Rule(
        TV,
        words(
            r"""
            android.*[\s_]shell[\s_] _uhd(?:\)|\sbuild) [-_\s](?:uhd|4k|8k)[-_\s)]
            smart\s?4k
        """
        ),
    ),
    Rule(
        TV,
        words(
            r"""
            \bppr2\.180905\.006 \bptt1\.19\d{4}\.001 \bptm1\.\w+;\swv ;\swv\).*\(lite\)\stv
            \brd2a\.211001 \brtt0\.2\d{5} \brtm[36]\.2\d{5} \bsttc\.2\d{5} \bqtg1\.2\d{5}
            \brtt4\.2 \brto9\.2
        """
        ),
    ),
    Rule(
        TV,
        MODEL
        + words(
            r"""
            (?:[a-z0-9]+[\s_-])*[a-z]{0,6}-?(?:p|led|lc|lt|oled|qled|uhd)?-?
        """
        )
        + SCREEN_INCHES
        + r"[a-z]{1,6}[-_ ]?\d{2,5}[a-z0-9_ ./-]*"
        + MODEL_END,
    ),
    Rule(
        TV,
        words(
            r"""
            ;\s[a-z]{2,5}[-_](?:24|32|40|42|43|50|55|65|75)[a-z][a-z0-9_-]+\sbuild
        """
        ),
    ),
    Rule(
        TV,
        words(
            r"""
            (?:led|uhd|qled|oled|fhd)[-_\s]?(?:2[248]|3[29]|4[0-39]|5[0158]|6[05]|7[05])
        """
        ),
    ),
    # Boxes by their models, then by their makers.
    Rule(
        TV,
        MODEL
        + r"(?:\w+[ _-])?(?:"
        + words(
            r"""
            x9[268](?:[\s_-]?(?:mini|max|air|pro|q|s|h|plus|link)\w*)? x88\w*
            tx[23569][\s_-]?(?:mini|pro|max|s|u)?\w* t95\w* h96\w* hk1\w* mxq\w* m8s\w*
            mx1[01]\w* mxiii\w* a95x\w* km[2-9]\w* m96\w* z[2-8]x s905\w* s912 gt-?king\w*
            gt1[-\s_]?mini\w* kk[\s_]max [bk]b2[\s_]pro ki+[\s_](?:pro|plus)
            n5[\s_]?(?:max|nova)\w* neo[-\s_][uxz]\d+\w* tox\d vim\d nv-?\d{3}\w* vmp-\d+
            s_turbo as_?4k ec6108 mk[89]0\d\w* 8k\d{3,4} ut\d a5x[\s_]max y8[\s_]max
            tb-[bp]o?\d+ abx-\d gr\d{5} red\s\d0 ip-\d0 kant-\d tpm1\d\d[eh] ab5116 tr99
            i-910 h-dmp rst_b an-\d{3} lu-v\d v32t\w* msd\d{3} h10\splay ssq- al-\d{4}
            z28\w* vmp\d\w* qg9 fo-r\d+ x-media l-box as1_hd t96\w* zealot hb-2000 pab44\d\d
            s[6789]00[\s_]?(?:pro|max)\w* xr4500 optima_t-\w+ eo104k\w* qk9max ipc002
            gtcombo k\d\ddl\w+ t40sl?g?led\w* 3188hd r68\sii b-stream kd1 swtv-\w+ iron\+
            sbx\d{3} atom-\d{3}\w+ mag\d{3}a? d21[45]0 dq08 minim8s wzone tv3[45]8\w*
            tvb-\w+ dv[89]\d{3}\w* sei\d{3}\w* sdott\d+ tle-\d\d\w+ bid-at\d+ hlq\smax
            as51\d qs02 tvs-\w+ sambox\w* crd\d\d-uhd\d+ era8k\w* \d\du[ce]-?\w+ xds\w+
            katv-\d+ gtv100 ng3128\w* hst\s260 aosp\son\sr33a0 en1007\w* and1e hph07
            kj-smart\w* i96\spro h8s v88 sbdv-\d+ mbox\d? box\w\d t[dq]\d\d[a-z]{4,5}\d
            xs100\w* dscs9 white\sx black\sx matador[\w\s]* mobo-edition path_7xpro
            j-link\w* tesla\sxt\d+ viva_home switron\w* mnbp-\w+ ct-8\d{3} 32h1ydx\w+
            24h1ydx\w+
        """
        )
        + r")(?:[ ._-][\w .-]*)?"
        + MODEL_END,
    ),
    Rule(
        TV,
        words(
            r"""
            rk3\d{3} \brtd\d{3} amlogic meson realtekatv tanix mecool ugoos beelink \bminix
            zidoo mygica vontar magicsee rombica pendoo selenga formuler egreat himedia
            zgemma orbsmart nebula xgimi eltex iconbit polar(?:line)?_ starwind vorke nexon
            ozone\s?hd openbox hiremco erisson loview vinabox smotreshka geotex gtx-r
            allente movix korax perfeo nexbox khadas vim[234] netta matrix\stv media\stv
            divisat alfawise gazal soullink transpeed vinga evpad unblock centek
            ;\sct-8\d{3} hiberg imaq amigo7 timvision infinitypro tronsmart orion\sr\d
            draco\sh\d technosat digifors invin[\s_] \brkm\s pyramid\sa skystream yundoo
            dolamee dreamstar xcruiser xdsr spybox cyclone\sx goldmaster
            eagle\s(?:gold|elite) cvte_ rtl8723bs gi\suni fundroid multibox 10moons dangcap
            nogapc topsion limez me-cool sunwell sunvell noontec supermax provision\ss
            dvs\sx artline andowl fengmi sternenschein globmall amaze\sax vega\ss95
            pipo_x(?:9|10) skyworth spc_alien wiwa\sdream yuno\.pt lcd_xx gi\sfly
            toucan\ssmart ai\spont bell\sstreamer swg2001 leap-s1 dexp\sshell eled-
            youwei\smini samsung\shome epico\s4k
        """
        ),
    ),
)

COMPUTERS = (
    Rule(COMPUTER, r"\bcros\b|chromebook|chrome ?os", "Chromebook"),
    # Telephones and tablets that say "like Mac OS X" were found above or are below.
    Rule(PHONE, r"windows phone|iemobile|lumia|\bwds \d"),
    Rule(
        COMPUTER,
        words(
            r"""
            macbook \bimac\d macmini mac\s?pro\d mac\d\d, \(mac\sos/ mac_powerpc mac_ppc
            darwin/[\d.]+\s\((?:x86_64|i386|power) \bosx\b os=mac \bos\sx/ macos
            apple-darwin
        """
        ),
        "Mac",
    ),
    Rule(TABLET, r"macintosh.*htc_flyer", "HTC"),
    Rule(PHONE, r"macintosh.*htc_", "HTC"),
    Rule(COMPUTER, r"macintosh|\bmac os x", "Mac"),
    Rule(
        PHONE,
        words(
            r"""
            windows\s?ce windows\s?mobile xblwp7 zunewp7 palmsource htc_\w+.*windows\snt\s5
        """
        ),
    ),
    Rule(
        COMPUTER,
        words(
            r"""
            windows\snt \bwindows[\s/;)] win(?:dows)?[\s_]?(?:9x|95|98|10|xp|nt) windows-
            win64 win32 winnt microsoft\soffice microsoft-crypto microsoft\sedge\supdate
            ^msdw \(pc;\sopenharmony \(2in1 ms-office win(?:7|8|11)\sx handbrake\swin
            microsoft-delivery citrixreceiver
        """
        ),
        "PC",
    ),
    Rule(
        COMPUTER,
        words(
            r"""
            ;\saspire travelmate pixelbook vostro swift\ssf\d easynote nuc\d+i
            satellite\spro hp\sengage chromebox thinkpad ideapad\s[sfg]?\d latitude\s[e\d]
            inspiron probook elitebook pavilion satellite\s[a-z]\d lifebook compaq vaio
            ;\sk50i
        """
        ),
    ),
    Rule(
        COMPUTER,
        words(
            r"""
            freebsd openbsd netbsd sunos solaris osf1 openvms beos haiku amigaos morphos
            syllable \bos/2[;)\s] irix hp-ux \baix\b risc\sos wayland konqueror emacs
            textmode
        """
        ),
        "PC",
    ),
)

TABLETS = (
    Rule(TABLET, r"playbook; |rim tablet", "BlackBerry"),
    Rule(TABLET, r"hp-tablet|touchpad", "HP"),
    Rule(TABLET, r"\bkf[a-z]{2,6}\b|kindle", "Amazon"),
    Rule(
        TABLET,
        words(
            r"""
            \bsm-[txp]\d{2,3} \bgt-p[1-9]\d \bgt-n[58]\d galaxy[\s_]tab sgh-i957
            (?:sm-|;\s)n[58][01]\d\d sch-i(?:800|705|905|915) shw-m(?:180|380|480|485)
            shv-e230 \bsc-01[ce] sph-p100 sgh-(?:t849|t859|i987|i497|i467)
        """
        ),
        "Samsung",
    ),
    Rule(TABLET, r"nexus (?:7|9|10)\b|pixel (?:c|tablet)\b", "Google"),
    Rule(
        TABLET,
        words(
            r"""
            lenovo[\s_]?(?:tb|yt|tab|yoga|yb|idea\s?tab|s6000|a1_|a1-|b[68]0)
            lenovo[\s_]?(?:a\d{4}[-_]?[hf]|b\d{4}) ideatab \btb\d?-?[a-z\d]\w+ \bpb-\d{4}
            \byt\d?- yoga\stab
        """
        ),
        "Lenovo",
    ),
    Rule(
        TABLET,
        r"\b(?:"
        + words(
            r"""
            ags agr agm bah cmr sht vrd scm kob2? jdn2? bg2 bgo btv dby mrx mrr wgr jobs?
            bzk bzt bzd bzi bzc bzw got bzq hdn dbr gem ple bgk cpn fdr btk agrk ags3k bza
            krj2? scmr kob2k kobe3? brt mon jms ndl eln2? rod2? hey2?
        """
        )
        + r")\d?-\w{3}",
        "Huawei",
    ),
    Rule(
        TABLET,
        words(
            r"""
            mediapad matepad -w\d\d\b huawei\ss7 \bt1[\s_-](?:\d|a2) honor\s?pad
        """
        ),
        "Huawei",
    ),
    Rule(TABLET, r"xoom|\bmz60\d|mz61\d", "Motorola"),
    Rule(
        TABLET,
        words(
            r"""
            transformer \bpadfone\st \btf\d{3} \bp0[0-2]\w\b \bk0[01]\w\b zenpad
            \bme\d{3}[a-z] slider\ssl101
        """
        ),
        "Asus",
    ),
    Rule(
        TABLET,
        words(
            r"""
            iconia \ba1-\d{3} \bb1-\d{3} \bb3-a \ba3-a ;\sa5\d\d(?:\sbuild|\))
        """
        ),
        "Acer",
    ),
    Rule(TABLET, r"\blg-v[456789]\d|\blg-vk|\blm-t\d|optimus pad|g pad", "LG"),
    Rule(
        TABLET,
        words(
            r"""
            sgp[3-7]\d\d so-0[35][efg] sony\stablet xperia\s(?:tablet|z\d?\stablet)
            \bsot\d\d
        """
        ),
        "Sony",
    ),
    Rule(TABLET, r"redmi ?pad|mi ?pad|xiaomi pad|; 2\d{4}rp|; 21051182|; 22081283", "Xiaomi"),
    Rule(
        TABLET,
        words(
            r"""
            oneplus\s?pad oppo\s?pad realme\s?pad \brmp\d{4} ;\sopd\d poco\spad
            nokia\st[12]\d ;\spa2\d{3}(?:\sbuild|\))
        """
        ),
    ),
    Rule(
        TABLET,
        words(
            r"""
            htc[_\s]flyer ;\salcatel.*(?:1t|3t) ;\s80[6-9]\d\w?(?:\sbuild|\)|_)
            ;\s90(?:0[3-79]|1\d|2[4-9]|3\d)\w?(?:\sbuild|\)|_)
            ;\s9[12][03]\d\w?(?:\sbuild|\)) one\stouch\st10
        """
        ),
    ),
    Rule(
        TABLET,
        words(
            r"""
            tablet(?:\sbuild|\)|[\s_;/-]\w) tablet[^\s] \btab\b \w+tab\b \btab[-_\s]?\w?\d
            [_\s]tab[_\s]?\d \w*pad[-_\s]?(?:\d|mini|pro|air|max|plus|lite|hd) \w+pad\b
            \bt-?pad teclast \bmid[-_\s]?\d \bmid\b surftab lifetab alldocube chuwi ainol
            archos\s(?:7|8|9|10)\w* digma.*(?:plane|optima) ;\soptima\s\d ;\splane[\s_]\d
            prestigio.{0,10}p(?:mp|mt) pmp\d{4} pmt\d{4} dexp\sursus ursus ritmix\srmd
            rmd-\d readboy ;\siplay ;\sbq-(?:7|8|10)\d ;\sip\d{2} ;\stz\d ;\salfa\d
            ;\shope\s?\d ;\sciti[\s_](?:\d|kids) mito\st\d ;\sta[cq]-\d taq- ;\sdslide
            ;\s\d{3}tpc ;\stpc- zte-?k\d\d zte\st100\d tecno\sp70\d ginzzu\sgt-[x7] arnova
            ;\sa101b ;\sa80ksc viva_?h\d pluri magnet_g ;\smc_ ;\sfaust ;\svolta\d boox
            iball[\s_]slide m7s m9[-_](?:3g|wifi) ;\sbdf _row(?:\)|\sbuild) x_style_tab
            \bpad[\s_]t?\d [\s_]pad(?:\)|[_\s]) ;\sipa\d{4} vtab\d ;\skocaso tf\d{3}t
            ;\spmid ;\smidc?\d ;\sptb\d ;\srct\d nx[mw]\d{3} nxa\d ;\sqs\d{4}d ;\stel-\d
            armor\spad ;\sgravity nook bntv nabi kurio leappad viewpad visual\sland zekipad
            ubislate telekom\spuls hudl nextbook azpen pocketbook
            ;\s(?:mt|qs|rc|lc|vm)\d{4}[a-z] ;\san\d+g\d nomi_c(?:07|08|10) ;\smfc\d ;\stpc
            bqru-(?:7|8|10) bq-9\d{3} ;\sviva_ ;\snavitel
            ;\s(?:h|l|m|n|s|e)[2-5]70i?(?:\sbuild|\)) ;\sccit ;\spixus ;\snumy ;\steo zync
            ;\s9[14]60g wi-?fi(?:\sbuild|\)) huawei\sm2- hanson ;\skt\d{3}pro ;\ssp\d{3}c
            ;\shtc\sa10\d verykool\s?t [_\s]3g(?:\sbuild|\)) _eea(?:\sbuild|\)) ;\sm[789]_
            ;\soptima vi10 ;\slenovo\sa7600 ;\salfa_ ;\sactab allviewc allviewax
            android-tablet
        """
        ),
    ),
)

PHONES = (
    Rule(PHONE, r"blackberry|\bbb10\b", "BlackBerry"),
    Rule(
        PHONE,
        words(
            r"""
            kaios symbian series\s?[4680]0 midp cldc up\.browser upbrowser j2me u?cweb/
            opera\smini \bbada\b maui brew obigo docomo netfront teleca openwave
            wap\s?browser \bwap\d vodafone/ softbank/ j-phone kddi willcom palmos webos/
            maemo meego mobile;\srv sailfish jig\sbrowser ibrowser/mini mqqbrowser/mini
            other-mobile
        """
        ),
    ),
    Rule(
        PHONE,
        r"^(?:"
        + words(
            r"""
            lgu?[\s\d] sony asus- iuc\(u onebrowser/ nokia sonyericsson samsung sec- lg[-e/]
            mot- alcatel sagem philips panasonic siemens sie- sharp htc huawei zte benq
            sanyo nec- kyocera pantech haier micromax lava spice karbonn amoi bird lenovo
        """
        )
        + r")",
    ),
    Rule(
        PHONE,
        words(
            r"""
            \bsm-[acefgjmnswz]\d{3} \bgt-[bcisn][1-9]\d \bsgh- \bsch- \bsph- \bshv-
            \bsc-\d\d[a-z]
        """
        ),
        "Samsung",
    ),
    Rule(PHONE, r"\blgm?-|\blm-[a-z]\d", "LG"),
    Rule(PHONE, r"\bredmi|\bpoco|\bmi (?:\d|note|max|mix|a\d)|\bmiui\b", "Xiaomi"),
    Rule(PHONE, r"-(?:[ltu]l|tn|an|al|l|lx)\d\d?\w?\b|\bhuawei[ -]|honor", "Huawei"),
    Rule(PHONE, r"\bvivo\b|; v\d{4}[a-z]*\b", "Vivo"),
    Rule(PHONE, r"\bcph\d{4}|\boppo\b|; p[a-g][a-z]{2}\d0", "OPPO"),
    Rule(PHONE, r"\brmx\d{4}|realme", "Realme"),
    Rule(PHONE, r"oneplus", "OnePlus"),
    Rule(PHONE, r"\bpixel \d|nexus [s456]", "Google"),
    Rule(PHONE, r"\bmoto\b|\bxt\d{4}|motorola", "Motorola"),
    Rule(PHONE, r"\bzte\b|\bhtc\b|nokia|kyocera|\bxperia|\bfp\d\b|fairphone"),
)

# What an Android browser says of itself when its model tells nothing.
REMAINDER = (
    # An address at the end, where no system was named: a robot more often than a player.
    Rule(PHONE, r"\bandroid .*https?://"),
    Rule(BOT, r"(?:^|[(; ])https?://[^)]*\)?$"),
    # Libraries: of a player or of the platform's own server, so no robot's for certain.
    Rule(
        OTHER,
        words(
            r"""
            ^(?:java|curl|wget|lib|okhttp|python|php|go-http|lavf|vlc)[\w.-]*[/\s]
        """
        ),
    ),
    Rule(TABLET, r"/apad\b"),
    Rule(PHONE, r"fban/.*(?:fbdv|fbop)|;fbmf/"),
    Rule(PHONE, r"(?:android|\badr\b|linux|tizen).*mobile"),
    Rule(PHONE, r"mobile.*(?:android|tizen)"),
    Rule(PHONE, r"android.*chrome/[\d.]+$"),
    # An application, not a browser: those say no "Mobile", and most of them run on telephones.
    Rule(TABLET, r"mozilla/.*android|opera.*android|ucbrowser.*android.*safari"),
    Rule(PHONE, r"android|dalvik"),
    Rule(
        COMPUTER,
        words(
            r"""
            x11 linux\s(?:x86|i[3-6]86|amd64) ubuntu debian fedora suse\b gentoo
            linux\s[34]\.\d \(linux; ;\slinux\)
        """
        ),
        "PC",
    ),
)

RULES = (
    *BOTS,
    *CONSOLES,
    *NO_TABLETS,
    *APPLE,
    *NEITHER,
    *TUNERS,
    *TELEVISIONS,
    *COMPUTERS,
    *TABLETS,
    *PHONES,
    *REMAINDER,
)
