"""Templates of the texts, which `dialogue` fills with a conversation's facts (an order, an item, a day, a name)."""

OPENINGS = {
    "sales": (
        "Hi, is the {item} still available in {colour}?",
        "hello, do you ship to {city}? I'd like to order {count} x {item}",
        "Which plan would you recommend for a family of {count}?",
        "Hey 👋 I saw the {item} for {amount} in your newsletter, the site shows {amount2} now?",
        "Can I pay the {item} in {count} instalments?",
        "I have a voucher for {amount} that is not accepted at checkout, code {code}",
        "What is the difference between the {item} and the {item2}?",
        "is there a student discount on the {item}",
        "My basket keeps losing the {item} when I log in :(",
        "Good day, we are a small company in {city} and need about {count} of the {item}. Who can make me an offer?",
    ),
    "billing": (
        "I was charged {amount} twice on {date}",
        "Why is my invoice {code} {amount} higher than last month?",
        "hi, I need a copy of invoice {code} with our new address in {city}",
        "My card ending {digits} was declined but the money is gone",
        "I cancelled in {month} and you STILL took {amount}!!",
        "Hello, how can I change my payment day to the {count}th?",
        "The refund of {amount} for order {order} has not arrived yet, it's been {count} days",
        'There\'s a fee of {amount} called "service" on my bill. What is that for?',
        "Guten Tag, auf meiner Rechnung {code} fehlt die Umsatzsteuer. Können Sie das prüfen?",
        "can i get my receipt for {date} please, need it for taxes",
    ),
    "support": (
        "The app crashes as soon as I open the {item} page",
        "my {item} does not connect to wifi since the update on {date}",
        "I can't log in, the reset e-mail never arrives",
        "Error {code} when I try to upload a photo",
        "internet is down again in {city}, any known outage?",
        "The {item} makes a strange noise and then turns itself off after {count} minutes",
        "How do I move my account to a new phone? Old one is broken",
        "hello?? I've been trying since {date}, nothing works",
        'Two-factor code is always "invalid", although I type it within {count} seconds',
        "Hallo, mein {item} lädt nicht mehr und zeigt nur einen weißen Bildschirm.",
    ),
    "orders": (
        "Where is my order {order}? It should have been here on {date}",
        "hi i want to return the {item}, it's too small",
        "Tracking for {order} has not moved for {count} days",
        "I received a {item} instead of the {item2} 🙈",
        "The {item} arrived broken, the box was open. I have pictures",
        "Can I still change the delivery address of {order} to {city}?",
        "please cancel order {order}, ordered by mistake",
        "Courier says delivered on {date} but nobody got anything here",
        "Half of order {order} is missing, only {count} of the parts were in the box",
        "Bonjour, je voudrais échanger le {item} contre la couleur {colour}, c'est possible ?",
    ),
}

GREETINGS = (
    "Hi {visitor}, my name is {agent}. How can I help you today?",
    "Hello {visitor}, this is {agent}. Give me a moment to read what you wrote.",
    "Good day! You are talking to {agent}. Thanks for your patience.",
    "Hi there 😊 {agent} here. Let me have a look at that for you.",
    "Thank you for waiting, {visitor}. I'm {agent}, what can I do for you?",
)
BOT_GREETINGS = (
    'Hi! I\'m the virtual assistant. Tell me in a few words what it is about, for example "where is my order".',
    "Hello {visitor}, I'm a bot 🤖 and can answer many questions right away.",
    "Welcome back, {visitor}! Is it about {order}? Type yes, or tell me more.",
)
BOT_ANSWERS = (
    "I found {order} for you: it left our warehouse in {city} on {date}.",
    "You can find this under Account > Settings > Payments. Did that help?",
    "I did not quite get that. Is it about an order, a bill or a technical problem?",
    "Returns are free within {count} days. Here is your label number: {code}.",
    "Our team answers from 8 in the morning. Shall I take a note for them?",
    "The {item} costs {amount} at the moment and is in stock in {colour}.",
)
ASKS = (
    "Could you please give me the order number, and the e-mail address it was placed with?",
    "May I ask which device you are using, and since when you see this?",
    "I'm sorry to hear that. Can you tell me the postcode of the delivery address?",
    "Just to be sure: do we talk about the {item} in {colour}?",
    "For data protection, could you confirm the last four digits, please?",
    "Did you already try to restart the {item}? It takes about {count} minutes.",
    "Which message do you see exactly? A screenshot would help too.",
    "Let me check this with the warehouse in {city}, one moment please.",
    "Was this ordered on {date}, or earlier in {month}?",
    "Thanks, I'm opening your account now. This may take a minute or two.",
)
FIXES = (
    "I have sent the {item} again, you get a new tracking number by e-mail. It should arrive on {date}.",
    "Good news, I could reduce the amount to {amount}. The difference is back on your card in {count} days.",
    "I see the problem: the address in {city} was saved twice. I removed the old one.",
    "Please sign out, wait half a minute, and sign in again. The new settings are active then.",
    "I have put a note for my colleagues on case {code}, they call you before {date}.",
    "The payment of {amount2} on {date} is only reserved, it will not be taken.",
    "You can take the {item2} instead, that one is in stock and {amount} cheaper.",
    "There is a known issue since this morning, our technicians in {city} are on it. I can put you on the SMS list.",
    "Done! Order {order} is cancelled and nothing will be charged.",
    "Unfortunately I cannot change this once {order} has left the warehouse. I can book a pick-up for {date}, though.",
    "I've added a credit of {amount} to your account for the trouble.",
    "The firmware from {month} has this bug. Please install version {count}.{digits}, I'll send you the link.",
)
CLOSINGS = (
    "Is there anything else I can do for you?",
    "Thanks for contacting us, {visitor}. Have a nice day!",
    "Glad we could sort this out 🙂 Enjoy your {item}!",
    "If it happens again, just mention case {code} and we know what it is about.",
    "I'll close this conversation now. You can write to us here at any time.",
)
HANDOVERS = (
    "I'll pass you to a colleague who knows more about this, please stay here.",
    "Let me connect you with the right team, they can see your order {order}.",
    "One moment, I transfer you to {team}.",
)
COMMENTS = (
    "customer wants {amount} back, second contact this week, see {code}",
    "checked with warehouse {city}: stock {count}, next delivery {date}",
    "called it a goodwill case, limit {amount2}. Please do not promise more",
    "verified by e-mail and postcode",
    "escalated once before ({date}), was calm today",
)
STILL_THERE = (
    "Are you still there, {visitor}?",
    "I have not heard from you for a while. I'll keep this window open a little longer.",
    "As I can't see an answer, I'm going to close the chat. Write to us again whenever you like!",
)
FACTS = (
    "it's {order}",
    "Order number {order}, and the mail is {visitor}@mail.example",
    "sure, {digits}",
    "the {item}, {colour} one. bought on {date}",
    "Around {count} days ago I think, in {month}",
    "I'm on the app, newest version",
    "Postcode is {digits}{count}, {city}",
    "{code}",
    "yes",
    "ok one sec, have to look for the letter",
    "No, I ordered {count} of them for {amount} each",
    "as I said above, the {item}",
    "Laptop, Firefox. Same thing on my husband's phone though",
    'it says "{code}: please try later"',
)
POSITIVE = (
    "Perfect, thank you so much!",
    "great, that works now 👍",
    "Oh nice, I didn't expect that. Thanks {agent}!",
    "ok super, {date} is fine for me",
    "You've been really helpful, thx",
    "Wonderful. Then I'll also take the {item2} :)",
    "That was quick, thanks",
    "Vielen Dank, das hat geholfen!",
)
NEUTRAL = (
    "ok",
    "And how long does that take?",
    "Alright, and what about the {item2}?",
    "hm, I see",
    "Does that cost anything? Last time it was {amount}",
    "Can you send me that by e-mail?",
    "I'll try, one moment",
    "would {date} be possible as well?",
    "Which of the two, {colour} or the other?",
    "okay and the {amount2} from {month}?",
)
NEGATIVE = (
    "This is the third time I have to explain this!",
    "no. still the same error {code}",
    "That is not acceptable, I paid {amount} for this",
    "seriously?? I waited {count} days for that answer 😡",
    "I want to talk to your manager",
    "Your colleague promised me something else on {date}",
    "then just cancel everything, I'll buy it somewhere else",
    "It does NOT work. I told you that already.",
    "so nobody in {city} feels responsible?",
)
WAITING = (
    "hello?",
    "anyone there?",
    "how long does this take?",
    "I've been waiting for ages",
    "ok I'll try again later",
)
PAGES = (
    ("Home", ""), ("Contact us", "contact"), ("Your basket", "checkout/basket"),
    ("Offers of the week", "offers?page={count}"), ("{item}: details and prices", "shop/item-{digits}"),
    ("My orders", "account/orders/{order}"), ("Help: payments", "help/payments"),
    ("Help: delivery", "help/delivery#returns"), ("Sign in", "account/login?next=%2Faccount"),
    ("Bills of {month}", "account/bills/{code}"),
)  # fmt: skip

ITEMS = (
    "Aurora lamp", "Baltic rain jacket", "desk fan F2", "e-reader Mini", "Fjord tent", "garden hose set",
    "headset HX-300", "induction pan", "Kilo backpack", "LTE router", "mesh repeater", "Nordlicht kettle",
    'office chair "Rota"', "power bank 20k", "quilt cover", "running shoes", "smart plug", "travel mug", "USB-C dock",
    "video doorbell", "wool blanket", "Zephyr bike light",
)  # fmt: skip
COLOURS = ("black", "navy", "olive", "sand", "grey", "white", "rust red", "türkis")
CITIES = (
    "Albany", "Bristol", "Columbus", "Derby", "Edison", "Fargo", "Gdańsk", "Hull", "Ithaca", "Joliet", "Köln",
    "Leeds", "Malmö", "Norwich", "Omaha", "Perth", "Québec", "Reading", "São Paulo", "Tulsa", "Utica", "Vigo",
    "Worcester", "York", "Zürich",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
VISITORS = (
    "Alex", "Bianca", "Chris", "Dana", "Emre", "Florian", "Gianna", "Hana", "Igor", "José", "Karin", "Liam", "Maja",
    "Noor", "Olga", "Pat", "Renée", "Sam", "Tariq", "Ulla", "Vera", "Will", "Ximena", "Yann", "Zuzana", "O'Brien",
    "Mr. Lindqvist", "Mrs Ng",
)  # fmt: skip
