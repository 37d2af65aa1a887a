"""The rehearsal set `general`: everyday prompts without answers.

While a skill is trained, a share of every batch comes from here, and the model is held to what it
did before on exactly these prompts. So they should be as varied as what people ask, and short to
answer. They stay away from what the general suites ask (geography, relations between words) and
from the skill's requests: holding what one rehearses would prove little. Some talk *about* timers,
weather or music, so that the words alone do not call a function.
"""

from __future__ import annotations

from itertools import product
from string import Formatter

from common import ROOT, Overlap, Record, Stream, jsonl, pretty, read_jsonl, write_files

FOLDER = ROOT / "registry/rehearsal/general"
SEED = "pawl/rehearsal/1"
PER_KIND = 40

TOPIC = (
    "friendship,winter,old books,bicycles,the sea,patience,coffee,trains,gardens,courage,cats,dreams,libraries,"
    "rainy days,teamwork,curiosity,mountains,kindness,bread,robots,stars,homework,silence,old shoes,autumn"
).split(",")
THING = (
    "a battery,a bicycle,a camera,a compass,a dishwasher,a fridge,a helicopter,a keyboard,a lighthouse,a magnet,a microscope,"
    "a mirror,a solar panel,a telescope,a thermometer,a timer,a toaster,a vaccine,a violin,a zipper,a rainbow,an earthquake"
).split(",")
SKILL = (
    "boil an egg,clean a window,fold a shirt,grow tomatoes,iron a shirt,learn to juggle,make pancakes,paint a wall,plant a tree,"
    "remove a stain,repair a flat tire,save electricity,sharpen a knife,sleep better,study for an exam,tie a tie,train a puppy,"
    "wash a sweater,write a good letter,remember names,speak in public,stay focused"
).split(",")
OBJECT = "umbrella,backpack,lamp,teapot,notebook,sofa,toothbrush,raincoat,scooter,flower pot,water bottle,desk,clock,pillow,hat".split(",")
ROLE = "teacher,pirate,chef,gardener,detective,doctor,librarian,coach,grandmother,scientist,tour guide,poet,farmer,astronaut".split(",")
FEELING = "tired,nervous about an exam,bored,lonely,happy about a new job,worried,proud of my son,angry at a friend,stressed,homesick".split(",")
PLACE = "picnic,camping trip,birthday party,job interview,first day of school,beach day,long flight,garden party,museum visit,move".split(",")
GOODS = "apples,pencils,tickets,marbles,cookies,books,stamps,chairs,coins,candles".split(",")
NAME = "Sally,Robert,Mei,Omar,Linda,Pablo,Ruth,Kofi,Elena,Walter".split(",")
SENTENCE = (
    "she go to school every days|he have two brother|we was very late|they is playing outside|i has a red car|the dogs barks loud|"
    "me and him likes soup|yesterday i eat a apple|there is many peoples here|her don't know the answer"
).split("|")
BLUNT = (
    "Give me the report now.|You are wrong.|I do not like your plan.|Move your car.|This soup is bad.|Stop talking.|"
    "Your work is too slow.|I will not come.|Fix this today.|That is a stupid idea."
).split("|")
REVIEW = (
    "The food was cold and the waiter was rude.|I loved every minute of this film.|The phone broke after two days.|"
    "Great value and very fast delivery.|The room was dirty and loud.|My children play with it every day.|"
    "The book was so dull that I gave up.|Best haircut I ever had.|It works, but the manual is confusing.|"
    "The staff were friendly and helpful."
).split("|")
PASSAGE = (
    "The bakery opened at six. By seven the bread was gone, and the baker started a second batch for those still in line.|"
    "Bees visit flowers to gather nectar. As they move they carry pollen, which lets plants make seeds and fruit.|"
    "Our office will move next month. The new rooms are brighter, but the way to work will be longer for most of us.|"
    "The old bridge was closed for repairs. Engineers found rust in two beams and replaced them within a week.|"
    "Lena practised the piano daily for a year. At the concert she was calm, and the hall rose to applaud her.|"
    "The team tested three engines. The smallest used the least fuel but could not pull the heavy trailer uphill.|"
    "Paper was once made from rags. Today most of it comes from wood, and a growing share is recycled.|"
    "A storm cut the power for two hours. Neighbours shared candles and cooked dinner together on a camping stove.|"
    "The school bought new computers. Pupils use them to write, to draw and to learn the first steps of programming.|"
    "Owls hunt at night. Their feathers are soft, so they fly almost without a sound and surprise their prey."
).split("|")
TASK = (
    "adds two numbers,reverses a string,checks if a number is even,counts the vowels in a string,returns the largest item of a list,"
    "computes a factorial,removes duplicates from a list,joins words with commas,sorts names by length,squares every number in a list,"
    "checks if a word is a palindrome,reads a file line by line,prints the numbers from 1 to 10,swaps two variables"
).split(",")
LANGUAGE = "Python,JavaScript,C,Swift,Ruby,Java".split(",")
CONCEPT = (
    "gravity,photosynthesis,inflation,evaporation,recursion,democracy,friction,electricity,evolution,insurance,interest on a loan,"
    "a computer virus,the water cycle,sound,digestion,a variable in programming,supply and demand,encryption"
).split(",")
WORD = "window,orange,planet,summer,teacher,bottle,garden,silver,rocket,monkey,button,pencil,yellow,forest".split(",")
ABOUT = "the weather changes so often,a kitchen timer ticks,people like sad songs,phones get warm,calendars have leap years,banks exist".split(",")
BIT = [str(n) for n in (3, 4, 6, 7, 8, 9, 12, 15, 18, 21, 24, 27, 35, 42, 56, 63, 75, 88, 96)]

SLOTS = {
    "topic": TOPIC, "thing": THING, "how": SKILL, "object": OBJECT, "role": ROLE, "feeling": FEELING, "place": PLACE,
    "goods": GOODS, "name": NAME, "sentence": SENTENCE, "blunt": BLUNT, "review": REVIEW, "passage": PASSAGE, "task": TASK,
    "language": LANGUAGE, "concept": CONCEPT, "word": WORD, "about": ABOUT, "a": BIT, "b": BIT[:10],
}  # fmt: skip

KINDS = {
    "greeting": "Hello!|Hi there, how are you?|Good morning!|Good evening, who are you?|What is your name?|Thanks for your help!|"
    "Nice to meet you.|Can you help me?|What can you do?|Goodbye!|Are you a robot?|Do you ever sleep?|Who made you?|"
    "Tell me something about yourself.|Do you like {topic}?|What do you think about {topic}?|Hey, can we talk about {topic}?",
    "feeling": "I feel {feeling} today.|I am {feeling}. What should I do?|My friend is {feeling}. What can I say?|"
    "Cheer me up, I am {feeling}.|Why am I {feeling}?",
    "howto": "How do I {how}?|What is the best way to {how}?|Give me one tip to {how}.|Explain in two sentences how to {how}.|"
    "I want to {how}. Where do I start?|What do I need to {how}?",
    "explain": "What is {concept}?|Explain {concept} to a child.|Explain {concept} in one sentence.|Why does {concept} matter?|"
    "Give a simple example of {concept}.|Why do you think {about}?",
    "object": "How does {thing} work?|What is {thing} used for?|Describe {thing} in one sentence.|Who would need {thing}?|"
    "What would happen without {thing}?",
    "writing": "Write one sentence about {topic}.|Write a short poem about {topic}.|Write a haiku about {topic}.|"
    "Write the first line of a story about {topic}.|Tell me a joke about {topic}.|Give me a title for an essay about {topic}.|"
    "Write a riddle about {topic}.",
    "advert": "Write a slogan for a new {object}.|Describe a {object} for a shop in one sentence.|"
    "Invent a name for a company that sells a {object}.|Write a short advert for a used {object}.|Why should I buy a {object}?",
    "arithmetic": "What is {a} plus {b}?|What is {a} times {b}?|What is {a} minus {b}?|Calculate {a} + {b}.|Compute {a} * {b}.|"
    "Is {a} an even number?|Which is larger, {a} or {b}?|What is half of {a}?|Double the number {a}.",
    "word-problem": "{name} has {a} {goods} and buys {b} more. How many {goods} now?|{name} gives away {b} of {a} {goods}. How many are left?|"
    "One box holds {a} {goods}. How many do {b} boxes hold?|{name} shares {a} {goods} with a friend. How many does each get?",
    "code": "Write a {language} function that {task}.|Show me {language} code that {task}.|In {language}, write code that {task}.|"
    "What does a {language} program that {task} look like?",
    "summary": "Summarize: {passage}|Summarize this in one sentence. {passage}|What is the main idea? {passage}|"
    "Give this text a title: {passage}|Make this shorter: {passage}|What question does this text answer? {passage}",
    "grammar": 'Correct the grammar: "{sentence}"|Fix this sentence: {sentence}|Rewrite correctly: {sentence}|'
    "What is wrong with this sentence: {sentence}|Is this correct English? {sentence}|Put this into the past tense: {sentence}",
    "polite": "Make this more polite: {blunt}|Rewrite in a friendly tone: {blunt}|Say this nicely: {blunt}|"
    "Turn this into a polite question: {blunt}|Make this more formal: {blunt}|How would a diplomat say this? {blunt}",
    "review": 'Is this review positive or negative? "{review}"|What is the sentiment of: {review}|Rate from 1 to 5: {review}|'
    "Answer this review in one sentence: {review}|What did this customer care about? {review}",
    "list": "List three things to bring to a {place}.|Name two ways to prepare for a {place}.|What should I wear to a {place}?|"
    "Give me three ideas for a {place}.|What could go wrong at a {place}?|Name four facts about {topic}.|List two good things about {topic}.",
    "spelling": "Spell the word {word}.|How many letters are in {word}?|Write {word} in capital letters.|What is the first letter of {word}?|"
    "Use the word {word} in a sentence.|Write {word} backwards.|Does {word} contain the letter e?",
    "role": "Talk like a {role} and greet me.|What does a {role} do all day?|As a {role}, give me one piece of advice.|"
    "Write one sentence that a {role} might say.|Ask me a question as a {role} would.|You are a {role}. Tell me about {topic}.",
}  # fmt: skip


def fields(template: str) -> list[str]:
    """The slots that a template names."""
    return sorted({name for _, name, _, _ in Formatter().parse(template) if name})


def fillings(template: str) -> list[str]:
    """Every prompt a template can make; numbers never make a negative result."""
    names = fields(template)
    combinations = (dict(zip(names, values, strict=True)) for values in product(*(SLOTS[name] for name in names)))
    return [
        template.format(**values)
        for values in combinations
        if not ("a" in values and "b" in values and int(values["a"]) <= int(values["b"]))
    ]


def prompts(kind: str, stream: Stream, avoid: Overlap) -> list[str]:
    """Up to PER_KIND prompts of one kind, its templates in turn."""
    queues = [stream.shuffled(fillings(template)) for template in KINDS[kind].split("|")]
    result: list[str] = []
    while any(queues) and len(result) < PER_KIND:
        for queue in queues:
            while queue and avoid.touches({"prompt": queue[-1]}):
                queue.pop()
            if queue and len(result) < PER_KIND:
                result.append(queue.pop())
    return result


def measured() -> list[Record]:
    """What no prompt may repeat: every suite and every skill's demonstrations as they lie in the registry."""
    names = ["suites/*/items.jsonl", "skills/*/items.jsonl", "skills/*/demonstrations.jsonl"]
    return [record for name in names for path in sorted((ROOT / "registry").glob(name)) for record in read_jsonl(path)]


def records() -> list[Record]:
    """The set, shuffled so that any stretch of it is varied."""
    avoid, stream = Overlap(measured()), Stream(SEED)
    made = [(kind, prompt) for kind in KINDS for prompt in prompts(kind, stream, avoid)]
    counts = dict.fromkeys(KINDS, 0)
    result = []
    for kind, prompt in stream.shuffled(made):
        counts[kind] += 1
        result.append({"id": f"{kind}-{counts[kind]:02}", "prompt": prompt})
    return result


MANIFEST = {
    "name": "general",
    "version": "1.0.0",
    "description": "Everyday prompts of seventeen kinds, for rehearsal while a skill is trained.",
    "prompts": "prompts.jsonl",
    "licence": "Apache-2.0",
    "source": "Generated by tools/content/rehearsal.py from templates and word lists of the project.",
}


def files() -> dict[str, str]:
    """The folder's generated files."""
    return {"rehearsal.json": pretty(MANIFEST), "prompts.jsonl": jsonl(records())}


if __name__ == "__main__":
    write_files(FOLDER, files())
