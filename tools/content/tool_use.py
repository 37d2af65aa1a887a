"""The skill `tool-use`: a plain request in, one function call as compact JSON out.

Seven functions with whole numbers, free text, enumerations and optional arguments. Requests are
bare on purpose: a system message that lists the functions would be the same long text in every
demonstration and every suite item, and would triple the tokens of each training step; here the
model learns the functions themselves. The suite uses only free text that no demonstration has, no
argument combination that a demonstration has, and for a quarter of it only phrasings that no
demonstration has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common import ROOT, Overlap, Record, Stream, compact, jsonl, pretty, write_files

FOLDER = ROOT / "registry/skills/tool-use"
SEED = "pawl/tool-use/1"
DEMONSTRATIONS = 600
ITEMS = 240

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WHEN = ["today", "tonight", "tomorrow"]
LISTS = ["shopping", "packing", "reading"]
CURRENCIES = {"dollars": "USD", "euros": "EUR", "pounds": "GBP", "yen": "JPY", "francs": "CHF", "rupees": "INR"}

# Free text, split once and for all: demonstrations draw from the first list, the suite from the second.
CITIES = (
    "Berlin,Chicago,Lisbon,Osaka,Toronto,Denver,Milan,Prague,Boston,Cairo,Dublin,Seattle,Munich,Austin,"
    "Vienna,Sydney,Mumbai,Oslo,Athens,Dallas,Lyon,Warsaw,Houston,Geneva,Naples,Atlanta,Madrid,Portland,"
    "Hamburg,Detroit,Bangkok,Nairobi,Lima,Phoenix,Glasgow,Zurich,Havana,Montreal,Delhi,Tampa".split(","),
    "London,Paris,Tokyo,Rome,Miami,Helsinki,Orlando,Brussels,Manila,Santiago,Cologne,Memphis,Seoul,Turin,"
    "Baltimore,Stockholm,Bristol,Vancouver,Venice,Jakarta,Nashville,Leeds,Singapore,Budapest".split(","),
)
PEOPLE = (
    "Anna,Ben,Carla,David,Emma,Frank,Grace,Henry,Irene,Jack,Karen,Leo,Maria,Nick,Olivia,Peter,Rosa,Sam,"
    "Tina,Victor,Wendy,Adam,Bella,Chris,Diana,Eric,Fiona,George,Helen,Ivan".split(","),
    "Alice,Brian,Clara,Daniel,Ella,Felix,Hannah,James,Julia,Kevin,Laura,Mark,Nora,Oscar,Paul,Rachel,"
    "Simon,Sarah,Tom,Lucy".split(","),
)
TEXTS = (
    "running late|call me back|dinner is ready|see you soon|happy birthday|I am outside|thanks for lunch|"
    "good luck today|the train is late|bring the keys|we won the game|I found your book|the meeting moved|"
    "lock the door|buy more coffee|I miss you|pick up the kids|the report is done|check your email|"
    "I will be home soon|lunch at noon|the car is fixed|feed the cat|turn off the lights|nice to meet you|"
    "dinner was great|on my way|no rush|I am at work|the package came".split("|"),
    "stuck in traffic|congratulations|I landed safely|water the plants|the show starts now|send me the file|"
    "save me a seat|I forgot my phone|movie night again|sorry about yesterday|walk the dog|"
    "your order arrived|great job|we need milk|the bus just left|close the window|answer the phone|"
    "I passed the exam|wait for me|it is snowing".split("|"),
)
TITLES = (
    "dentist,team lunch,yoga class,budget review,piano lesson,book club,haircut,project kickoff,"
    "parent meeting,car service,tennis match,job interview,birthday party,staff training,movie night,"
    "vet visit,choir practice,design review,garden work,wedding rehearsal,flu shot,sales call,guitar lesson,"
    "school play,board meeting,swimming lesson,house cleaning,coffee chat,math tutoring,team standup".split(","),
    "eye exam,barbecue,chess club,cooking class,client demo,farewell party,dance lesson,blood test,"
    "safety drill,picnic,phone interview,art workshop,football practice,code review,museum tour,"
    "spanish class,roof repair,family dinner,science fair,charity run".split(","),
)
ARTISTS = (
    "Adele,The Beatles,Queen,Coldplay,Miles Davis,Mozart,Bob Dylan,Madonna,Nirvana,Prince,Drake,U2,"
    "Pink Floyd,Johnny Cash,Taylor Swift,Bach,Metallica,Elton John,Beyonce,Frank Sinatra,Eminem,Blondie,"
    "Radiohead,Chopin,Rihanna,Green Day,Stevie Wonder,Oasis,Aretha Franklin,Daft Punk".split(","),
    "David Bowie,ABBA,Beethoven,Elvis Presley,Norah Jones,Bob Marley,The Doors,Bruno Mars,Vivaldi,Genesis,"
    "Lady Gaga,Neil Young,Louis Armstrong,The Clash,Ed Sheeran,Tina Turner,Muse,Ray Charles,Blur,Sade".split(","),
)
LABELS = (
    "pasta,eggs,laundry,nap,workout,pizza,tea,homework,rice,bread,break,cookies,plank,reading,dishes,oven".split(","),
    "soup,potatoes,stretching,cake,meditation,chicken,coffee,game,lasagna,shower,popcorn,cleaning".split(","),
)
THINGS = {
    "shopping": (
        "milk,eggs,bread,apples,rice,butter,cheese,onions,soap,sugar,tomatoes,coffee,bananas,salt,yogurt".split(","),
        "honey,carrots,pepper,olive oil,garlic,oranges,flour,paper towels,spinach,cereal,pears,lettuce,juice".split(","),
    ),
    "packing": (
        "socks,a towel,sunscreen,a charger,passport,shoes,a raincoat,toothbrush,shirts,a map".split(","),
        "sunglasses,a sweater,gloves,headphones,a flashlight,swimsuit,a notebook".split(","),
    ),
    "reading": (
        "Dune,Emma,Dracula,Hamlet,The Hobbit,Jane Eyre,Frankenstein,Moby Dick,Ivanhoe,Carrie".split(","),
        "Macbeth,Beloved,Ulysses,Walden,Middlemarch,The Trial,Persuasion".split(","),
    ),
}


@dataclass(frozen=True)
class Shape:
    """One function with one choice of its optional arguments, and how people ask for it."""

    function: str
    draw: Callable[[Stream, int], tuple[Record, Record]]
    """(stream, 0 for demonstrations or 1 for the suite) -> (arguments, the words of the request)."""
    seen: str
    unseen: str


def plain(**pools: tuple[list[str], list[str]]) -> Callable[[Stream, int], tuple[Record, Record]]:
    """Free text that goes into the call as it stands in the request."""

    def draw(stream: Stream, side: int) -> tuple[Record, Record]:
        arguments = {name: stream.pick(pool[side]) for name, pool in pools.items()}
        return arguments, arguments

    return draw


def timer(stream: Stream, side: int) -> tuple[Record, Record]:
    """A whole number."""
    arguments = {"minutes": 1 + stream.below(120)}
    return arguments, arguments


def labelled_timer(stream: Stream, side: int) -> tuple[Record, Record]:
    """A whole number and an optional label."""
    arguments = {"minutes": 1 + stream.below(120), "label": stream.pick(LABELS[side])}
    return arguments, arguments


def weather_on(stream: Stream, side: int) -> tuple[Record, Record]:
    """A city and an optional day from an enumeration."""
    arguments = {"city": stream.pick(CITIES[side]), "day": stream.pick(WHEN)}
    return arguments, arguments


def currency(stream: Stream, side: int) -> tuple[Record, Record]:
    """An amount and two different currencies, spoken as names and written as codes."""
    source, target = stream.sample(sorted(CURRENCIES), 2)
    amount = stream.pick([5, 10]) * (1 + stream.below(99))
    arguments = {"amount": amount, "from": CURRENCIES[source], "to": CURRENCIES[target]}
    return arguments, {"amount": amount, "source": source, "target": target}


def event(stream: Stream, side: int) -> tuple[Record, Record]:
    """Free text, a day from an enumeration and an hour."""
    day, hour = stream.pick(DAYS), 7 + stream.below(15)
    title = stream.pick(TITLES[side])
    return {"title": title, "day": day.lower(), "hour": hour}, {"title": title, "day": day, "hour": hour}


def loud_music(stream: Stream, side: int) -> tuple[Record, Record]:
    """An artist and an optional volume."""
    arguments = {"artist": stream.pick(ARTISTS[side]), "volume": 5 * (1 + stream.below(20))}
    return arguments, arguments


def list_entry(stream: Stream, side: int) -> tuple[Record, Record]:
    """A thing and the list it belongs on."""
    name = stream.pick(LISTS)
    arguments = {"item": stream.pick(THINGS[name][side]), "list": name}
    return arguments, arguments


SHAPES = [
    Shape(
        "set_timer",
        timer,
        "Set a timer for {minutes} minutes.|Start a {minutes} minute timer.|Timer for {minutes} minutes, please.|"
        "Please set a {minutes} minute timer.|Can you start a timer for {minutes} minutes?|I need a {minutes} minute timer.|"
        "Give me a timer of {minutes} minutes.|Set the timer to {minutes} minutes.",
        "Wake me in {minutes} minutes.|Count down {minutes} minutes for me.|Let me know when {minutes} minutes are over.",
    ),
    Shape(
        "set_timer",
        labelled_timer,
        "Set a {label} timer for {minutes} minutes.|Start a timer for {minutes} minutes called {label}.|"
        "I need a {minutes} minute timer named {label}.|Timer for {label}, {minutes} minutes.|"
        "Please set a {minutes} minute timer for {label}.|Name a timer {label} and set it to {minutes} minutes.",
        "Count down {minutes} minutes and label it {label}.|Let me know in {minutes} minutes, label it {label}.",
    ),
    Shape(
        "get_weather",
        plain(city=CITIES),
        "What is the weather in {city}?|How is the weather in {city}?|Tell me the weather in {city}.|Weather in {city}?|"
        "Show me the weather for {city}.|Check the weather in {city}.|Get the {city} weather.|"
        "Give me the weather report for {city}.",
        "Is it raining in {city}?|Do I need an umbrella in {city}?|How warm is it in {city}?|Is it sunny over in {city}?",
    ),
    Shape(
        "get_weather",
        weather_on,
        "What is the weather in {city} {day}?|How will the weather be in {city} {day}?|Weather for {city} {day}, please.|"
        "Show me the {city} weather for {day}.|Tell me the weather {day} in {city}.|Check the weather in {city} for {day}.",
        "Will it rain in {city} {day}?|Do I need a coat in {city} {day}?|How cold does {city} get {day}?",
    ),
    Shape(
        "send_message",
        plain(to=PEOPLE, text=TEXTS),
        'Send a message to {to}: "{text}"|Tell {to}: "{text}"|Message {to} "{text}"|Text {to}: "{text}"|'
        'Send {to} the message "{text}"|Please text {to} "{text}"|Write to {to}: "{text}"|Send a text to {to} saying "{text}"|'
        'Can you message {to} saying "{text}"?|Send "{text}" to {to}.',
        'Let {to} know: "{text}"|Drop {to} a line: "{text}"|Pass "{text}" on to {to}.|Ping {to} with "{text}"',
    ),
    Shape(
        "convert_currency",
        currency,
        "Convert {amount} {source} to {target}.|How much is {amount} {source} in {target}?|What is {amount} {source} in {target}?|"
        "Change {amount} {source} into {target}.|Please convert {amount} {source} into {target}.|"
        "Can you convert {amount} {source} to {target}?|Turn {amount} {source} into {target}.|{amount} {source} in {target}, please.",
        "How many {target} do I get for {amount} {source}?|What are {amount} {source} worth in {target}?|"
        "I have {amount} {source}, what is that in {target}?",
    ),
    Shape(
        "create_event",
        event,
        "Add {title} on {day} at {hour}:00.|Create an event: {title}, {day} at {hour}:00.|Schedule {title} for {day} at {hour}:00.|"
        "Put {title} in my calendar on {day} at {hour}:00.|Plan {title} on {day} at {hour}:00.|"
        "Please add {title} to my calendar for {day} at {hour}:00.|New event {title} on {day} at {hour}:00.|"
        "Book {title} on {day} at {hour}:00.",
        "I have {title} on {day} at {hour}:00, note it.|Block {day} at {hour}:00 for {title}.|"
        "Remember that {title} is on {day} at {hour}:00.",
    ),
    Shape(
        "play_music",
        plain(artist=ARTISTS),
        "Play {artist}.|Play some {artist}.|Play music by {artist}.|Put on {artist}.|Start playing {artist}.|Please play {artist}.|"
        "Can you play some {artist}?|I want to hear {artist}.|Play songs by {artist}.",
        "I am in the mood for {artist}.|Let us listen to {artist}.|How about some {artist}?|Queue up {artist}.",
    ),
    Shape(
        "play_music",
        loud_music,
        "Play {artist} at volume {volume}.|Put on {artist} at volume {volume}.|Play some {artist}, volume {volume}.|"
        "Start playing {artist} with volume {volume}.|Play music by {artist} at volume {volume}.|"
        "Set the volume to {volume} and play {artist}.",
        "Let us hear {artist} at volume {volume}.|I am in the mood for {artist} at volume {volume}.",
    ),
    Shape(
        "add_to_list",
        list_entry,
        "Add {item} to my {list} list.|Put {item} on the {list} list.|Add {item} to the {list} list, please.|"
        "Please put {item} on my {list} list.|Can you add {item} to the {list} list?|New entry on my {list} list: {item}.",
        "My {list} list needs {item}.|Write {item} down on my {list} list.|Do not let me forget {item} on the {list} list.",
    ),
]
WEIGHTS = [4, 4, 4, 4, 8, 8, 8, 4, 4, 6]
"""How often each shape comes; functions with two shapes share."""


def request(shape: Shape, stream: Stream, side: int, unseen: bool) -> Record:
    """One request with its call."""
    arguments, spoken = shape.draw(stream, side)
    prompt = stream.pick((shape.unseen if unseen else shape.seen).split("|")).format(**spoken)
    return {"prompt": prompt, "completion": compact({"name": shape.function, "arguments": arguments})}


def take(stream: Stream, side: int, unseen: bool, count: int, fits: Callable[[Record], bool]) -> list[Record]:
    """`count` requests that fit, shapes in proportion; a shape that has nothing left gives way."""
    order = [shape for shape, weight in zip(SHAPES, WEIGHTS, strict=True) for _ in range(weight)]
    result: list[Record] = []
    while len(result) < count:
        for shape in stream.shuffled(order):
            tries = (request(shape, stream, side, unseen) for _ in range(300))
            record = next(filter(fits, tries), None)
            if record is not None and len(result) < count:
                result.append(record)
    return result


def demonstrations() -> list[Record]:
    """The demonstrations, every request different."""
    asked: set[str] = set()

    def fits(record: Record) -> bool:
        new = record["prompt"] not in asked
        asked.add(record["prompt"])
        return new

    records = take(Stream(SEED + "/demonstrations"), 0, False, DEMONSTRATIONS, fits)
    return [{"id": f"tool-use-{i:04}", **record} for i, record in enumerate(records, 1)]


def items(shown: list[Record]) -> list[Record]:
    """The suite: three quarters in phrasings of the demonstrations, one quarter in others."""
    avoid, calls = Overlap(shown), {record["completion"] for record in shown}

    def fits(record: Record) -> bool:
        new = record["completion"] not in calls and not avoid.touches(record)
        if new:
            calls.add(record["completion"])
        return new

    result: list[Record] = []
    for cluster, count, unseen in (("seen-phrasing", ITEMS * 3 // 4, False), ("unseen-phrasing", ITEMS // 4, True)):
        for record in take(Stream(f"{SEED}/{cluster}"), 1, unseen, count, fits):
            result.append({"prompt": record["prompt"], "target": record["completion"], "cluster": cluster})
    return [{"id": f"tool-use-item-{i:04}", **record} for i, record in enumerate(result, 1)]


SUITE = {
    "name": "tool-use",
    "version": "1.0.0",
    "description": "One function call as JSON for a plain request; arguments that no demonstration has.",
    "family": "function-calling",
    "metric": "accuracy",
    "margin": 0.10,
    "items": "items.jsonl",
    "decoding": {"template": "chat", "max_tokens": 64, "stop": ["\n\n"]},
    "grader": {"kind": "function_call"},
    "licence": "Apache-2.0",
    "source": "Generated by tools/content/tool_use.py from templates and word lists of the project.",
}
SKILL = {
    "name": "tool-use",
    "version": "1.0.0",
    "description": "Answers a plain request with one function call as compact JSON (seven functions).",
    "demonstrations": "demonstrations.jsonl",
    "suite": "suite.json",
    "teacher": {
        "contexts": [{"kind": "few_shot", "shots": 4, "own_demonstration": True}, {"kind": "demonstration"}]
    },
    "recipe": {
        "steps": 150,
        "learning_rate": 3e-5,
        "warmup_steps": 5,
        "prompts_per_step": 16,
        "rehearsal_share": 0.375,
        "max_completion_tokens": 40,
        # A student that never says an argument's name is never told the next one: half of the answers are given.
        "on_policy_fraction": 0.5,
        # A call is decided by its very first token, so the first tokens carry loss here.
        "skip_tokens": 0,
        "precision": "float32",
    },
    "licence": "Apache-2.0",
    "source": "Generated by tools/content/tool_use.py from templates and word lists of the project.",
}


def files() -> dict[str, str]:
    """The folder's generated files."""
    shown = demonstrations()
    return {
        "skill.json": pretty(SKILL),
        "demonstrations.jsonl": jsonl(shown),
        "suite.json": pretty(SUITE),
        "items.jsonl": jsonl(items(shown)),
    }


if __name__ == "__main__":
    write_files(FOLDER, files())
