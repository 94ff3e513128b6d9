"""Words that people and tickets of the sample's managed-services clients are made of."""

FIRST = (
    "Ada", "Aisha", "Álvaro", "Ben", "Carmen", "Chloë", "Dana", "Diego", "Elif", "Emeka", "Fatima", "Finn", "Grace",
    "Hana", "Ivan", "Jonas", "Jürgen", "Kenji", "Leila", "Łukasz", "Maeve", "Marta", "Nadia", "Noor", "Olga", "Priya",
    "Quinn", "Rosa", "Sam", "Søren", "Tomás", "Uma", "Viktor", "Wanda", "Xin", "Yara", "Zoe",
)  # fmt: skip
LAST = (
    "Abbott", "Baker", "Castillo", "D'Angelo", "Eriksen", "Fischer", "Gupta", "Hughes", "Ibrahim", "Jensen", "Kowalski",
    "Lindqvist", "Müller", "Nakamura", "O'Neill", "Petrov", "Quigley", "Reyes", "Schmidt", "Tanaka", "Underwood",
    "Vargas", "Weber", "Yılmaz", "Zhang",
)  # fmt: skip
SUBJECTS = (
    "Printer does not print", "New starter: laptop and account", "Cannot sign in", "VPN drops after an hour",
    "Mailbox is full", 'Error "0x80070005" when saving', "Restore a deleted folder", "Wi-Fi is slow, 2nd floor",
    "Phishing mail reported", "Monthly patching", "Server disk almost full", "Move of a workplace",
)  # fmt: skip
