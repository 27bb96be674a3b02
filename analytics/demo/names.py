"""Names of people in many scripts, and what they look like in an e-mail address."""

import re
from dataclasses import dataclass
from itertools import product

from backoffice.core.text import fold


@dataclass(frozen=True, slots=True)
class Name:
    """One first or last name."""

    text: str
    latin: str
    """Lower-case letters a to z, for the e-mail address."""


@dataclass(frozen=True, slots=True)
class Culture:
    """Names that go together; the common ones stand first and are drawn more often."""

    first: tuple[Name, ...]
    last: tuple[Name, ...]
    double_first: tuple[Name, ...] = ()
    double_last: tuple[Name, ...] = ()

    @property
    def all_first(self) -> tuple[Name, ...]:
        return self.first + self.double_first

    @property
    def all_last(self) -> tuple[Name, ...]:
        return self.last + self.double_last


def latin(words: str) -> tuple[Name, ...]:
    """Return names written in Latin letters, separated by commas."""
    return tuple(
        Name(text, re.sub(r"[^a-z]", "", fold(text)))
        for text in (word.strip() for word in words.split(","))
    )


def spelt(words: str) -> tuple[Name, ...]:
    """Return names of another script, each followed by its spelling: "Мария=maria"."""
    return tuple(Name(*word.strip().split("=")) for word in words.split(","))


def joined(names: tuple[Name, ...], between: str, others: tuple[Name, ...]) -> tuple[Name, ...]:
    """Return double names such as "Anne-Sophie" and "García López", each of two names."""
    return tuple(
        Name(f"{one.text}{between}{other.text}", one.latin + other.latin)
        for one, other in product(names, others)
        if one != other
    )


FRENCH_FIRST = latin(
    "Marie, Camille, Léa, Emma, Chloé, Manon, Inès, Jade, Louise, Alice, Lucas, Hugo, Louis,"
    "Gabriel, Raphaël, Arthur, Jules, Adam, Nathan, Théo, Éléonore, Zoé, Anaïs, Maëlys, Noémie,"
    "Aurélie, Céline, Hélène, Françoise, Brigitte, Sylvie, Benoît, François, Frédéric, Gaël,"
    "Jérôme, Loïc, Mickaël, Rémi, Sébastien, Thaïs, Yaël, Zélie, Ève, Gaëtan, Aïcha, Maïwenn"
)
FRENCH_LAST = latin(
    "Martin, Bernard, Dubois, Thomas, Robert, Richard, Petit, Durand, Leroy, Moreau, Simon,"
    "Laurent, Lefèvre, Michel, Garcia, David, Bertrand, Roux, Vincent, Fournier, Morel, Girard,"
    "André, Mercier, Dupont, Lambert, Bonnet, François, Martinez, Legrand, Garnier, Faure,"
    "Rousseau, Blanc, Guérin, Müller, Henry, Roussel, Nicolas, Perrin, Gauthier, Chevalier,"
    "d'Arcy, de L'Hôpital, N'Diaye, N'Guessan, L'Écuyer, Le Goff, de La Fontaine, Œuvrard,"
    "Delacroix-Saint-Cyr, de Montmorency-Laval-Bouteville, Poussière, Çelik, Diallo, Traoré"
)
ENGLISH_FIRST = latin(
    "James, Mary, John, Patricia, Robert, Jennifer, Michael, Linda, David, Elizabeth, William,"
    "Barbara, Richard, Susan, Joseph, Jessica, Thomas, Sarah, Charles, Karen, Olivia, Liam,"
    "Noah, Emma, Ava, Sophia, Isabella, Mia, Amelia, Harper, Evelyn, Ethan, Mason, Logan, Zoë,"
    "Chloë, Renée, Siân, Siobhán, Seán, Pádraig, Billie-Jo, Mary-Kate, D'Andre, Ja'Marr, Wm."
)
ENGLISH_LAST = latin(
    "Smith, Johnson, Williams, Brown, Jones, Miller, Davis, Wilson, Anderson, Taylor, Moore,"
    "Jackson, White, Harris, Thompson, Clark, Lewis, Robinson, Walker, Young, Allen, King,"
    "Wright, Scott, Hill, Green, Adams, Baker, Nelson, Carter, Mitchell, Roberts, Turner,"
    "Phillips, Campbell, Parker, Evans, Edwards, O'Neil, O'Brien, O\u2019Connor, D'Angelo,"
    "McDonald,"
    "MacLeod, Fitz-Gerald, Smith-Jones, St. John, Van der Berg, Brontë, Featherstonehaugh,"
    "Wolfeschlegelsteinhausenbergerdorff, Cholmondeley-Warner, Ng, Ó Súilleabháin"
)
SPANISH_FIRST = latin(
    "María, José, Antonio, Carmen, Francisco, Ana, Manuel, Isabel, David, Laura, Daniel, Lucía,"
    "Pablo, Martina, Hugo, Sofía, Álvaro, Paula, Adrián, Julia, Diego, Daniela, Mario, Valeria,"
    "Begoña, Iñaki, Íñigo, Ángel, Inés, Óscar, Raúl, Rocío, Sebastián, Úrsula, Ximena, Zoe"
)
SPANISH_LAST = latin(
    "García, Rodríguez, González, Fernández, López, Martínez, Sánchez, Pérez, Gómez, Martín,"
    "Jiménez, Ruiz, Hernández, Díaz, Moreno, Muñoz, Álvarez, Romero, Alonso, Gutiérrez, Núñez,"
    "Ibáñez, Peña, Ordóñez, Güell, de la Cruz, del Río, Ybarra, Zúñiga, Ocaña"
)
GERMAN_FIRST = latin(
    "Anna, Ben, Emilia, Finn, Hannah, Jonas, Lena, Leon, Lina, Lukas, Mia, Paul, Jürgen, Jörg,"
    "Günther, Käthe, Björn, Sören, Zoë, Karl-Heinz, Hans-Jürgen, Anne-Sophie, Łukasz, Małgorzata,"
    "Wojciech, Katarzyna, Åsa, Øyvind, Søren, Þóra, Zdeněk, Jiří, Ştefan, Ioana, István, Réka"
)
GERMAN_LAST = latin(
    "Müller, Schmidt, Schneider, Fischer, Weber, Meyer, Wagner, Becker, Schulz, Hoffmann,"
    "Schäfer, Koch, Bauer, Richter, Klein, Wolf, Schröder, Neumann, Schwarz, Groß, Weiß, Jäger,"
    "Krüger, Kowalska, Wiśniewski, Łukaszewicz, Nowák, Dvořák, Ångström, Sørensen, Ødegård,"
    "Ğündoğan, Nagy, Szabó, Popescu, Freiherr von Münchhausen, Leutheusser-Schnarrenberger"
)
PORTUGUESE_FIRST = latin(
    "João, Maria, Tiago, Inês, Francisco, Beatriz, Gonçalo, Leonor, Luís, Mariana, Antônio,"
    "Conceição, Estêvão, Flávia, Lúcia, Nuno, Thaís, Vinícius, Caetano, Débora"
)
PORTUGUESE_LAST = latin(
    "Silva, Santos, Ferreira, Pereira, Oliveira, Costa, Rodrigues, Martins, Jesus, Sousa,"
    "Gonçalves, Conceição, Guimarães, Magalhães, Simões, Brandão, Araújo, Vasconcelos,"
    "da Anunciação e Vasconcelos de Almeida Bragança, dos Reis"
)
VIETNAMESE_FIRST = latin("Anh, Linh, Minh, Hương, Đức, Thảo, Tuấn, Ngọc, Phương, Hải, Yến, Quỳnh")
VIETNAMESE_LAST = latin("Nguyễn, Trần, Lê, Phạm, Hoàng, Huỳnh, Phan, Vũ, Võ, Đặng, Bùi, Đỗ")
RUSSIAN_FIRST = spelt(
    "Мария=maria, Иван=ivan, Анна=anna, Дмитрий=dmitri, Ольга=olga, Сергей=sergei,"
    "Наталья=natalia, Алексей=alexei, Екатерина=ekaterina, Михаил=mikhail, Юлия=yulia,"
    "Фёдор=fedor, Алёна=alena, Андрей=andrei, Ксения=ksenia, Олександр=oleksandr, Їржі=irzhi"
)
RUSSIAN_LAST = spelt(
    "Иванова=ivanova, Смирнов=smirnov, Кузнецова=kuznetsova, Попов=popov, Соколова=sokolova,"
    "Лебедев=lebedev, Козлова=kozlova, Новиков=novikov, Морозова=morozova, Щербаков=shcherbakov,"
    "Королёв=korolev, Шевченко=shevchenko, Римский-Корсаков=rimskikorsakov, Бондаренко=bondarenko,"
    "Петренко=petrenko, Георгиев=georgiev"
)
ARABIC_FIRST = spelt(
    "محمد=mohamed, فاطمة=fatima, أحمد=ahmed, عائشة=aicha, يوسف=youssef, خديجة=khadija, علي=ali,"
    "مريم=maryam, عمر=omar, نور=nour, إبراهيم=ibrahim, ليلى=layla, عبد الله=abdallah,"
    "زينب=zaynab, سارة=sara, آدم=adam"
)
ARABIC_LAST = spelt(
    "بن علي=benali, العلوي=alaoui, الفاسي=elfassi, حداد=haddad, منصور=mansour, خليل=khalil,"
    "السيد=elsayed, بنجلون=benjelloun, بوزيد=bouzid, عباس=abbas, الخطيب=alkhatib, سلامة=salama,"
    "درويش=darwish, مرزوقي=marzouki"
)
CHINESE_FIRST = spelt(
    "伟=wei, 芳=fang, 娜=na, 秀英=xiuying, 敏=min, 静=jing, 丽=li, 强=qiang, 磊=lei, 军=jun,"
    "洋=yang, 勇=yong, 艳=yan, 杰=jie, 娟=juan, 涛=tao, 明=ming, 超=chao, 子轩=zixuan, 梓涵=zihan"
)
CHINESE_LAST = spelt(
    "王=wang, 李=li, 张=zhang, 刘=liu, 陈=chen, 杨=yang, 黄=huang, 赵=zhao, 吴=wu, 周=zhou,"
    "徐=xu, 孙=sun, 马=ma, 朱=zhu, 胡=hu, 郭=guo, 何=he, 林=lin, 欧阳=ouyang, 司马=sima"
)
JAPANESE_FIRST = spelt(
    "陽翔=haruto, 結衣=yui, 蓮=ren, さくら=sakura, ひなた=hinata, 美咲=misaki, 翔太=shota,"
    "葵=aoi, ケンジ=kenji, 大輔=daisuke, 直子=naoko, 凛=rin"
)
JAPANESE_LAST = spelt(
    "佐藤=sato, 鈴木=suzuki, 高橋=takahashi, 田中=tanaka, 伊藤=ito, 渡辺=watanabe, 山本=yamamoto,"
    "中村=nakamura, 小林=kobayashi, 加藤=kato, 吉田=yoshida, 長谷川=hasegawa"
)
KOREAN_FIRST = spelt(
    "민준=minjun, 서연=seoyeon, 도윤=doyun, 지우=jiwoo, 하은=haeun, 예준=yejun, 수아=sua,"
    "지훈=jihoon, 은지=eunji, 현우=hyunwoo, 유진=yujin, 승현=seunghyun"
)
KOREAN_LAST = spelt(
    "김=kim, 이=lee, 박=park, 최=choi, 정=jung, 강=kang, 조=cho, 윤=yoon, 장=jang, 임=lim,"
    "남궁=namgung, 황보=hwangbo"
)
HINDI_FIRST = spelt(
    "आरव=aarav, प्रिया=priya, अर्जुन=arjun, अनन्या=ananya, रोहन=rohan, दीपिका=deepika,"
    "विवान=vivaan, सान्वी=saanvi, कृष्ण=krishna, लक्ष्मी=lakshmi, संजय=sanjay, नेहा=neha"
)
HINDI_LAST = spelt(
    "शर्मा=sharma, वर्मा=verma, गुप्ता=gupta, सिंह=singh, कुमार=kumar, पटेल=patel, जोशी=joshi,"
    "मिश्रा=mishra, रेड्डी=reddy, अय्यर=iyer, चतुर्वेदी=chaturvedi, बंद्योपाध्याय=bandyopadhyay"
)
GREEK_FIRST = spelt(
    "Μαρία=maria, Γιώργος=giorgos, Ελένη=eleni, Δημήτρης=dimitris, Κατερίνα=katerina,"
    "Νίκος=nikos, Σοφία=sofia, Ιωάννα=ioanna, Παναγιώτης=panagiotis, Ευαγγελία=evangelia"
)
GREEK_LAST = spelt(
    "Παπαδόπουλος=papadopoulos, Οικονόμου=oikonomou, Νικολάου=nikolaou, Γεωργίου=georgiou,"
    "Αντωνίου=antoniou, Δημητρίου=dimitriou, Βασιλείου=vasileiou, Χατζηδάκης=chatzidakis"
)
HEBREW_FIRST = spelt(
    "נועה=noa, דוד=david, תמר=tamar, יוסף=yosef, מיכל=michal, אורי=uri, שרה=sara, איתי=itai,"
    "יעל=yael, אברהם=avraham"
)
HEBREW_LAST = spelt(
    "כהן=cohen, לוי=levi, מזרחי=mizrahi, פרץ=peretz, ביטון=biton, פרידמן=friedman,"
    "בן-דוד=bendavid, אברמוב=avramov"
)

CULTURES = {
    "french": Culture(
        FRENCH_FIRST,
        FRENCH_LAST,
        joined(latin("Jean, Pierre"), "-", latin("Paul, Luc, Marc, François, Noël, Loïc, Benoît"))
        + joined(latin("Marie, Anne"), "-", latin("Claude, Sophie, Hélène, Laure, Ève, Aimée")),
        joined(FRENCH_LAST[:16], "-", FRENCH_LAST[10:26]),
    ),
    "english": Culture(
        ENGLISH_FIRST, ENGLISH_LAST, (), joined(ENGLISH_LAST[:12], "-", ENGLISH_LAST[8:20])
    ),
    "spanish": Culture(
        SPANISH_FIRST,
        SPANISH_LAST,
        joined(latin("María, José, Juan, Ana"), " ", latin("Luis, Isabel, Carlos, Jesús")),
        joined(SPANISH_LAST, " ", SPANISH_LAST),
    ),
    "german": Culture(GERMAN_FIRST, GERMAN_LAST),
    "portuguese": Culture(
        PORTUGUESE_FIRST,
        PORTUGUESE_LAST,
        (),
        joined(PORTUGUESE_LAST[:10], " ", PORTUGUESE_LAST[:10]),
    ),
    "vietnamese": Culture(VIETNAMESE_FIRST, VIETNAMESE_LAST),
    "russian": Culture(RUSSIAN_FIRST, RUSSIAN_LAST),
    "arabic": Culture(ARABIC_FIRST, ARABIC_LAST),
    "chinese": Culture(CHINESE_FIRST, CHINESE_LAST),
    "japanese": Culture(JAPANESE_FIRST, JAPANESE_LAST),
    "korean": Culture(KOREAN_FIRST, KOREAN_LAST),
    "hindi": Culture(HINDI_FIRST, HINDI_LAST),
    "greek": Culture(GREEK_FIRST, GREEK_LAST),
    "hebrew": Culture(HEBREW_FIRST, HEBREW_LAST),
}
