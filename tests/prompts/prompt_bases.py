"""Ten small tasks, five English and five Korean: rows to show, rows to test on, and a prompt."""

from __future__ import annotations

from dataclasses import dataclass

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Base:
    """A task: its rows as (text, label), its words, and what a persona and a context say."""

    field: str
    answer: str
    instruction: str
    persona: str
    context: str
    constraint: str
    output_format: str
    descriptions: dict[str, str]
    rows: Rows
    test: Rows


def _rows(text: str) -> Rows:
    """``label: text`` a line."""
    pairs = (line.split(": ", 1) for line in text.strip().splitlines())
    return tuple((one.strip(), label.strip()) for label, one in pairs)


BASES: dict[str, Base] = {
    "films": Base(
        "Review", "Sentiment", "Give the sentiment of the review.",
        "You are a film critic.", "The reviews are from a festival's guest book.",
        "Irony counts by what is meant.", "Write the sentiment alone.",
        {"positive": "worth a second visit", "negative": "the writer regrets the ticket"},
        _rows("""
positive: I laughed until my face hurt
negative: Two hours that I will never get back
positive: The camera finds beauty in a car park
negative: Every twist was visible from the opening scene
positive: My grandmother and my son both loved it
negative: It mistakes shouting for drama
positive: A quiet story that stayed with me for days
negative: The sound was so muddy that half the plot was lost
positive: Whoever cut this film deserves a medal
negative: Its hero learns nothing and neither did I
positive: Even the dog can act
negative: They forgot to write an ending
"""),
        _rows("""
positive: I went in tired and came out dancing
negative: Wooden performances in a wooden house
positive: Sharp, warm and over too soon
negative: My popcorn had more character
positive: Finally a sequel that earns its place
negative: The jokes were old when the cinema was built
"""),
    ),
    "tickets": Base(
        "Message", "Intent", "Decide what the customer wants.",
        "You work at the help desk of a shop.", "Customers write in a chat window.",
        "A parcel that is late is about delivery, even if money is asked for.",
        "Write the intent alone.",
        {"refund": "money is to come back", "delivery": "where a parcel is or when it comes",
         "account": "signing in, names, passwords"},
        _rows("""
refund: The jacket is too small, can I have my money back?
delivery: Where is my parcel? It left the depot on Monday
account: I cannot sign in since the update
refund: You charged me twice for one lamp
delivery: The driver rang at the wrong house
account: How do I change the e-mail address you have of me?
refund: I sent the shoes back and still wait for the payment
delivery: Can it come on Saturday instead?
account: Somebody else seems to use my password
refund: Please cancel the order and return the amount
delivery: Tracking has not moved for five days
account: Delete my profile, I moved abroad
"""),
        _rows("""
delivery: My neighbour took the box, is that recorded?
refund: The voucher was not taken off the bill
account: The code for logging in never arrives
refund: Give me back what I paid for the broken vase
delivery: Will the sofa be carried upstairs?
account: My name is spelled wrongly on the page
"""),
    ),
    "headlines": Base(
        "Headline", "Topic", "Name the topic of the headline.",
        "You are an editor of a daily paper.", "Headlines come from the evening edition.",
        "Money in sport is about sport.", "Answer with the topic, in lower case.",
        {"sports": "matches and athletes", "politics": "parties, votes and laws",
         "science": "research and discoveries"},
        _rows("""
sports: Goalkeeper saves three penalties in the final
politics: Parliament postpones vote on pensions
science: Telescope spots water vapour on a distant world
sports: Marathon record falls in the rain
politics: Mayor resigns after coalition breaks apart
science: Bees can count, a laboratory shows
sports: Rower returns to training after surgery
politics: Treaty on fishing waters signed at last
science: New battery charges in four minutes
sports: Home side throws away a two-goal lead
politics: Opposition asks for inquiry into bridge
science: Fossil rewrites the history of feathers
"""),
        _rows("""
science: Glacier core holds air of the bronze age
sports: Teenager wins the downhill by a hundredth
politics: Minister defends budget before the senate
sports: Coach leaves by mutual consent
science: Vaccine against malaria passes its trial
politics: Voters abroad may register until May
"""),
    ),
    "moods": Base(
        "Message", "Emotion", "What does the writer feel?",
        "You are a counsellor who reads a diary.", "The messages are from young people.",
        "Judge the writer's feeling, not that of others.", "Write one emotion.",
        {"joy": "glad, proud, relieved", "anger": "cross, insulted", "fear": "worried, afraid"},
        _rows("""
joy: We got the keys to our flat this morning
anger: He read my letters without asking
fear: The doctor wants to see me again tomorrow
joy: My sister is coming home for the winter
anger: They gave my seat to someone else and shrugged
fear: There are steps in the attic at night
joy: The whole choir remembered my birthday
anger: Nobody apologised for the broken fence
fear: What if I forget every word on stage
joy: After nine tries the bread finally rose
anger: She laughed at me in front of the class
fear: I hold my breath whenever the lift stops
"""),
        _rows("""
fear: The water is already at the door
joy: I passed, with the best mark of the year
anger: My idea is in his talk, and my name is not
joy: The baby slept for six hours
fear: I keep checking whether the stove is off
anger: Third time this week that they cut the line
"""),
    ),
    "mails": Base(
        "Mail", "Urgency", "How urgent is the mail?",
        "You sort the mail of a clinic.", "Mails arrive over night.",
        "A date within two days is urgent.", "Answer with one word.",
        {"high": "somebody must act today", "low": "it can wait until next week"},
        _rows("""
high: The freezer with the samples has failed
low: Here are the minutes of our meeting in March
high: A patient collapsed in the corridor
low: Would you like to join the running group?
high: The server for prescriptions is down
low: Our address book has a new colour
high: Water drips onto the scanner
low: The canteen tries a new soup
high: The night nurse has not arrived
low: Feedback on the poster is welcome any time
high: Results were sent to the wrong family
low: A lost umbrella is at the desk
"""),
        _rows("""
high: The alarm on ward four does not stop
low: Slides of the lecture are online
high: Blood of group O runs out this evening
low: We repaint the bicycle shed in June
high: The ambulance entrance is blocked
low: Somebody baked a cake for the team
"""),
    ),
    "영화": Base(
        "감상평", "감정", "감상평에 담긴 감정을 고르세요.",
        "당신은 영화 평론가입니다.", "감상평은 영화제 방명록에 적힌 글입니다.",
        "반어는 뜻하는 바로 판단합니다.", "감정만 씁니다.",
        {"긍정적": "다시 보고 싶어 한다", "부정적": "표값을 아까워한다", "중립적": "사실만 말한다"},
        _rows("""
긍정적: 두 시간이 이렇게 짧을 줄 몰랐다
부정적: 졸다가 깨니 아직도 같은 장면이었다
중립적: 상영 시간은 백십 분이고 자막이 있다
긍정적: 배우들의 눈빛만으로도 표값을 했다
부정적: 줄거리가 앞뒤로 전혀 맞지 않는다
중립적: 감독의 세 번째 장편이라고 들었다
긍정적: 온 가족이 함께 울고 웃었다
부정적: 음악이 너무 커서 대사가 묻혔다
중립적: 원작 소설은 1998년에 나왔다
긍정적: 마지막 장면이 며칠째 떠오른다
부정적: 예고편이 본편보다 나았다
중립적: 촬영은 주로 부산에서 했다
"""),
        _rows("""
긍정적: 친구에게 꼭 권하고 싶은 작품이다
부정적: 결말을 이렇게 끝내다니 화가 난다
중립적: 개봉 첫 주에 상영관이 두 배로 늘었다
긍정적: 잔잔한데도 눈을 뗄 수 없었다
부정적: 농담이 하나도 웃기지 않았다
중립적: 주연 배우는 이번이 첫 영화다
"""),
    ),
    "문의": Base(
        "문의", "용건", "손님이 원하는 용건을 판단하세요.",
        "당신은 온라인 가게의 상담원입니다.", "손님은 채팅 창에 글을 남깁니다.",
        "늦은 택배는 돈 이야기가 있어도 배송입니다.", "용건만 답합니다.",
        {"환불": "돈을 돌려받으려 한다", "배송": "물건이 어디 있는지 묻는다",
         "계정": "로그인이나 비밀번호 문제"},
        _rows("""
환불: 옷이 작아서 돈을 돌려받고 싶어요
배송: 월요일에 보냈다는 상자가 아직도 안 왔어요
계정: 업데이트한 뒤로 로그인이 안 됩니다
환불: 같은 물건이 두 번 결제됐습니다
배송: 기사님이 옆집에 두고 가셨대요
계정: 이메일 주소를 바꾸려면 어떻게 하나요
환불: 신발을 돌려보냈는데 입금이 없네요
배송: 토요일에 받을 수 있을까요
계정: 누가 제 비밀번호를 쓰는 것 같아요
환불: 주문을 취소하고 카드값도 빼 주세요
배송: 조회 화면이 닷새째 그대로예요
계정: 해외로 이사해서 탈퇴하고 싶습니다
"""),
        _rows("""
배송: 경비실에 맡겼다는 연락이 맞나요
환불: 쿠폰이 할인되지 않고 계산됐어요
계정: 인증 번호가 오지 않습니다
환불: 깨진 꽃병 값을 물어 주세요
배송: 소파를 위층까지 올려 주시나요
계정: 화면에 제 이름이 틀리게 나와요
"""),
    ),
    "기사": Base(
        "제목", "분야", "기사 제목의 분야를 고르세요.",
        "당신은 신문사 편집자입니다.", "제목은 저녁판에서 가져왔습니다.",
        "구단의 돈 문제는 스포츠입니다.", "분야만 씁니다.",
        {"스포츠": "경기와 선수", "정치": "정당과 선거와 법", "과학": "연구와 발견"},
        _rows("""
스포츠: 골키퍼, 결승에서 승부차기 세 번 막아
정치: 국회, 연금 표결 다음 달로 미뤄
과학: 먼 행성에서 수증기 흔적 포착
스포츠: 빗속 마라톤에서 대회 기록 깨져
정치: 시장, 연정 무너지자 사퇴
과학: 벌도 셈을 한다는 실험 결과 나와
스포츠: 부상 딛고 돌아온 조정 대표
정치: 어업 협정 십 년 만에 서명
과학: 사 분이면 충전되는 전지 개발
스포츠: 두 골 앞서던 홈 팀 역전패
정치: 야당, 다리 공사 조사 요구
과학: 깃털의 역사를 바꾼 화석 발견
"""),
        _rows("""
과학: 빙하 속에 갇힌 옛 공기 분석
스포츠: 열여덟 살, 활강 백분의 일 초 차 우승
정치: 장관, 예산안 두고 의원들과 설전
스포츠: 감독 계약 끝내기로 합의
과학: 말라리아 백신 임상 통과
정치: 재외 유권자 등록 오월까지
"""),
    ),
    "상품평": Base(
        "상품평", "평가", "상품평이 칭찬인지 불만인지 판단하세요.",
        "당신은 품질 담당자입니다.", "상품평은 구매한 사람만 쓸 수 있습니다.",
        "배송 기사에 대한 말은 빼고 봅니다.", "평가만 답합니다.",
        {"칭찬": "물건이 마음에 든다", "불만": "물건에 문제가 있다"},
        _rows("""
칭찬: 손잡이가 손에 꼭 맞아요
불만: 한 번 빨았더니 색이 다 빠졌다
칭찬: 조용해서 아기가 깨지 않네요
불만: 나사 두 개가 처음부터 없었습니다
칭찬: 사진보다 색이 훨씬 곱다
불만: 충전해도 반나절을 못 간다
칭찬: 부모님이 더 좋아하십니다
불만: 뚜껑이 헐거워 물이 샌다
칭찬: 조립이 오 분이면 끝나요
불만: 설명서가 외국어뿐이라 못 쓰겠다
칭찬: 삼 년째 쓰는데 멀쩡합니다
불만: 냄새가 일주일째 안 빠진다
"""),
        _rows("""
불만: 바퀴가 하루 만에 부러졌다
칭찬: 가벼워서 들고 다니기 편해요
불만: 화면에 줄이 가 있었습니다
칭찬: 하나 더 사서 선물했어요
불만: 크기가 적힌 것과 다르다
칭찬: 밤에도 불빛이 은은해서 좋아요
"""),
    ),
    "메일": Base(
        "메일", "긴급도", "메일이 얼마나 급한지 판단하세요.",
        "당신은 병원 우편 담당입니다.", "메일은 밤사이에 옵니다.",
        "이틀 안의 날짜가 있으면 급합니다.", "한 단어로 답합니다.",
        {"높음": "오늘 처리해야 한다", "낮음": "다음 주에 봐도 된다"},
        _rows("""
높음: 검체 냉동고가 멈췄습니다
낮음: 삼월 회의록을 보냅니다
높음: 복도에서 환자가 쓰러졌습니다
낮음: 달리기 모임에 오실 분을 찾습니다
높음: 처방 서버가 열리지 않습니다
낮음: 주소록 색이 바뀌었습니다
높음: 촬영실 천장에서 물이 떨어집니다
낮음: 식당에서 새 국을 선보입니다
높음: 야간 간호사가 오지 않았습니다
낮음: 포스터 의견은 언제든 환영합니다
높음: 결과지가 다른 가족에게 갔습니다
낮음: 안내대에 우산이 남아 있습니다
"""),
        _rows("""
높음: 사 병동 경보가 꺼지지 않습니다
낮음: 강의 자료를 올렸습니다
높음: 오늘 저녁이면 혈액이 떨어집니다
낮음: 유월에 자전거 거치대를 칠합니다
높음: 구급차 입구가 막혔습니다
낮음: 동료가 빵을 구워 왔습니다
"""),
    ),
}  # fmt: skip
