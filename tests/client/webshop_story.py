"""The recorded session's plot: what the user asks of the webshop and what the assistant does, call by call.

The calls are real ones on real files: each edit must fit what the ones before it left behind, and the two failing
test runs fail for the reasons the assistant then gives.
"""

from pathlib import Path

from harness.script import Reply, ToolCall, bash, calls, says

FIRST_PROMPT = """\
Add discount codes to the shop. A code takes off either a percentage (SPRING10: 10 %) or a fixed amount (TAKE5: 5.00), \
it can have a last day, and it can ask for a minimum order value.

Please keep to this while you work:
- never touch the payments module, it has been audited
- use only the standard library
- run the tests after each change

Write a test for everything you add and describe the codes in the README."""

SECOND_PROMPT = """\
Good. One more thing: every customer may use a code only once. Keep that in memory for now, no database. \
Run the soak test as well when you are through."""

TOOLS = "Bash,Read,Edit,Write,TaskCreate,TaskUpdate"
TESTS = "python3 -m unittest"
LAST_COMMAND = f"{TESTS} && python3 -m tests.soak"
"""The call in flight: it takes long enough to be killed in."""

DISCOUNTS = '''\
"""Codes that make an order cheaper."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


class CodeRefused(ValueError):
    """The code cannot be used; the message says why, in words for the customer."""


@dataclass(frozen=True)
class Code:
    """A discount: `percent` or `cents`, until `last_day`, from `minimum_cents` on."""

    name: str
    percent: int = 0
    cents: int = 0
    last_day: date | None = None
    minimum_cents: int = 0

    def discount(self, total_cents: int) -> int:
        """Return what is taken off `total_cents`; never more than all of it."""
        off = self.cents + total_cents * self.percent // 100
        return min(off, total_cents)

    def check(self, total_cents: int, today: date) -> None:
        """Raise CodeRefused if the code is out of date or the order too small."""
        if self.last_day and today > self.last_day:
            raise CodeRefused(f"{self.name} ended on {self.last_day}")
        if total_cents < self.minimum_cents:
            raise CodeRefused(f"{self.name} needs an order of at least {self.minimum_cents / 100:.2f}")


class Codes:
    """All codes, by name; upper and lower case are the same."""

    def __init__(self, codes: Iterable[Code] = ()) -> None:
        self._codes = {code.name.upper(): code for code in codes}

    def find(self, name: str) -> Code:
        """Return the code. Raises CodeRefused for an unknown one."""
        try:
            return self._codes[name.strip().upper()]
        except KeyError:
            raise CodeRefused(f"there is no code {name.strip()}") from None
'''

DISCOUNT_TESTS = """\
import unittest
from datetime import date

from shop.discounts import Code, CodeRefused, Codes


class CodeTest(unittest.TestCase):
    def test_percentage_is_rounded_to_the_nearest_cent(self) -> None:
        self.assertEqual(Code("SPRING10", percent=10).discount(2450), 245)
        self.assertEqual(Code("LUCKY15", percent=15).discount(999), 150)  # 149.85

    def test_fixed_amount_never_exceeds_the_total(self) -> None:
        self.assertEqual(Code("TAKE5", cents=500).discount(2450), 500)
        self.assertEqual(Code("TAKE5", cents=500).discount(120), 120)

    def test_last_day_counts(self) -> None:
        code = Code("SPRING10", percent=10, last_day=date(2026, 3, 31))
        code.check(2450, date(2026, 3, 31))
        with self.assertRaisesRegex(CodeRefused, "ended on 2026-03-31"):
            code.check(2450, date(2026, 4, 1))

    def test_minimum_order_value(self) -> None:
        code = Code("TAKE5", cents=500, minimum_cents=2000)
        code.check(2000, date(2026, 3, 2))
        with self.assertRaisesRegex(CodeRefused, "at least 20.00"):
            code.check(1999, date(2026, 3, 2))

    def test_names_are_forgiving(self) -> None:
        codes = Codes([Code("SPRING10", percent=10)])
        self.assertEqual(codes.find(" spring10 ").percent, 10)
        with self.assertRaisesRegex(CodeRefused, "no code AUTUMN"):
            codes.find("AUTUMN")
"""

CART_TOTAL = '''\
    @property
    def total_cents(self) -> int:
        """The price of everything."""
        return sum(line.cents for line in self.lines)
'''

CART_DISCOUNT = '''\
    def use(self, code: Code) -> None:
        """Use a discount code; it takes the place of an earlier one."""
        self.code = code

    @property
    def subtotal_cents(self) -> int:
        """The price of everything, before the discount."""
        return sum(line.cents for line in self.lines)

    @property
    def discount_cents(self) -> int:
        """What the code takes off."""
        return self.code.discount(self.subtotal_cents) if self.code else 0

    @property
    def total_cents(self) -> int:
        """What is to be paid."""
        return self.subtotal_cents - self.discount_cents
'''

CART_TEST = """\

    def test_a_code_lowers_the_total(self) -> None:
        self.cart.add("TEE")
        self.cart.use(Code("SPRING10", percent=10))
        self.assertEqual((self.cart.discount_cents, self.cart.total_cents), (245, 2205))

    def test_the_discount_follows_the_cart(self) -> None:
        self.cart.use(Code("SPRING10", percent=10))
        self.cart.add("TEE")
        self.cart.add("PEN")
        self.assertEqual(self.cart.discount_cents, 257)
"""

NEW_ORDER = """\
    order = Order(next(_numbers), customer, now, cart.lines, cart.total_cents)
"""

CHECKED_ORDER = """\
    code = cart.code
    if code:
        code.check(cart.subtotal_cents, now)
    order = Order(next(_numbers), customer, now, cart.lines, cart.total_cents, cart.discount_cents)
"""

DAY_CHECK = """\
        code.check(cart.subtotal_cents, now.date())
"""

CHARGE = """\
    gateway.charge(order)
"""

CHARGE_AND_REMEMBER = """\
    gateway.charge(order)
    if code:
        redeemed.add(customer, code)
"""

SIGNATURE = """\
def place_order(cart: Cart, customer: str, gateway: Gateway, now: datetime) -> Order:
"""

SIGNATURE_WITH_REGISTER = """\
def place_order(
    cart: Cart, customer: str, gateway: Gateway, now: datetime, redeemed: Redeemed = _REDEEMED
) -> Order:
"""

EMPTY_CART_TEST = """\
        with self.assertRaises(EmptyCart):
            place_order(self.cart, "ada", self.gateway, NOW)
        self.assertEqual(self.gateway.charged, [])
"""

ORDER_TEST = """\

    def test_a_code_is_checked_and_charged(self) -> None:
        self.cart.add("TEE")
        self.cart.use(Code("SPRING10", percent=10, last_day=date(2026, 3, 2)))
        order = place_order(self.cart, "ada", self.gateway, NOW)
        self.assertEqual((order.discount_cents, order.total_cents), (245, 2205))
        self.assertEqual(self.gateway.charged, [(order.number, 2205)])

    def test_a_late_code_charges_nothing(self) -> None:
        self.cart.add("TEE")
        self.cart.use(Code("SPRING10", percent=10, last_day=date(2026, 3, 1)))
        with self.assertRaises(CodeRefused):
            place_order(self.cart, "ada", self.gateway, NOW)
        self.assertEqual(self.gateway.charged, [])
"""

ONCE_TEST = """\

    def test_a_customer_uses_a_code_once(self) -> None:
        redeemed = Redeemed()
        self.cart.add("TEE")
        self.cart.use(Code("SPRING10", percent=10))
        place_order(self.cart, "ada", self.gateway, NOW, redeemed)
        with self.assertRaisesRegex(CodeRefused, "used SPRING10 before"):
            place_order(self.cart, "ada", self.gateway, NOW, redeemed)
        place_order(self.cart, "grace", self.gateway, NOW, redeemed)
        self.assertEqual(len(self.gateway.charged), 2)
"""

REDEEMED = '''\


class Redeemed:
    """Which customer has used which code; forgotten when the process ends."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str]] = set()

    def check(self, customer: str, code: Code) -> None:
        """Raise CodeRefused if the customer has used the code before."""
        if (customer, code.name) in self._used:
            raise CodeRefused(f"{customer} has used {code.name} before")

    def add(self, customer: str, code: Code) -> None:
        """Remember that the customer has used the code."""
        self._used.add((customer, code.name))
'''

README = """
## Discount codes

A `Code` takes off a percentage (`SPRING10`, 10 %) or a fixed amount (`TAKE5`, 5.00). It may have a last day and a
minimum order value. An order takes one code; the discount is rounded to the nearest cent, halves up.
"""


class Plot:
    """The replies for a webshop in `project`. `pace` is the thinking time before each, in seconds."""

    def __init__(self, project: Path, pace: float) -> None:
        self._project = project
        self._pace = pace

    def first_turn(self) -> list[Reply]:
        """From the first prompt to the report that discounts work."""
        return [*self._look(), *self._rules(), *self._cart(), *self._orders(), *self._readme()]

    def second_turn(self) -> list[Reply]:
        """From the second prompt to the test run that is killed."""
        return [
            self._do(
                self._append("shop/discounts.py", DISCOUNTS, REDEEMED),
                text="The place for this is beside the codes: a register that place_order asks before it charges.",
            ),
            self._do(
                self._add("shop/orders.py", after=DAY_CHECK, new="        redeemed.check(customer, code)\n"),
                self._edit("shop/orders.py", CHARGE, CHARGE_AND_REMEMBER),
            ),
            self._do(
                self._edit("shop/orders.py", SIGNATURE, SIGNATURE_WITH_REGISTER),
                self._edit(
                    "shop/orders.py",
                    "from shop.payments.gateway import Gateway\n\n_numbers = count(1)\n",
                    "from shop.discounts import Redeemed\nfrom shop.payments.gateway import Gateway\n\n"
                    "_numbers = count(1)\n_REDEEMED = Redeemed()\n",
                ),
                text="Decision: a code counts as used only after the charge went through, so a declined payment does "
                "not burn it.",
            ),
            self._do(
                self._append("tests/test_orders.py", ORDER_TEST, ONCE_TEST),
                self._edit("tests/test_orders.py", "Code, CodeRefused\n", "Code, CodeRefused, Redeemed\n"),
            ),
            self._do(
                bash(LAST_COMMAND, "Run the tests and the soak test"),
                text="Now the tests, and the soak test you asked for; it takes about twenty seconds.",
            ),
        ]

    def _look(self) -> list[Reply]:
        files = ("shop/cart.py", "shop/orders.py", "tests/test_cart.py", "tests/test_orders.py")
        return [
            self._do(bash("git status --short && ls -R shop tests", "Look around"), text="First I look at the shop."),
            self._do(*(self._read(path) for path in files)),
            self._do(bash(TESTS, "Run the tests"), text="Before I change anything, the tests as they are."),
            self._do(
                self._task("Discount rules", "Percentage, fixed amount, last day, minimum order value"),
                self._task("A code in the cart", "The cart holds one code and shows the discount"),
                self._task("Discounts in orders", "Check the code and charge the lower total"),
                text="All green. I'll do it in three steps and leave shop/payments alone.",
            ),
        ]

    def _rules(self) -> list[Reply]:
        cut = "total_cents * self.percent // 100\n"
        rounded = "(total_cents * self.percent + 50) // 100\n"
        return [
            self._do(self._write("shop/discounts.py", DISCOUNTS)),
            self._do(self._write("tests/test_discounts.py", DISCOUNT_TESTS)),
            self._do(bash(TESTS, "Run the tests")),
            self._do(
                self._edit("shop/discounts.py", cut, rounded),
                text="15 % of 9.99 is 149.85 cents and `//` cuts it to 149. Decision: discounts are rounded to the "
                "nearest cent, halves up, in integers throughout; no floats near money.",
            ),
            self._do(bash(TESTS, "Run the tests")),
        ]

    def _cart(self) -> list[Reply]:
        return [
            self._do(
                self._done(1),
                self._edit("shop/cart.py", CART_TOTAL, CART_DISCOUNT),
                text="Rounding is right now. Next the cart: one code at a time, the discount worked out when it is "
                "asked for, so that it follows the cart.",
            ),
            self._do(
                self._add(
                    "shop/cart.py",
                    after="        self._quantities: dict[str, int] = {}\n",
                    new="        self.code: Code | None = None\n",
                ),
                self._add(
                    "shop/cart.py",
                    after="from shop.catalogue import Catalogue, Product\n",
                    new="from shop.discounts import Code\n",
                ),
                self._add("tests/test_cart.py", after='            self.cart.add("MUG", 0)\n', new=CART_TEST),
                self._add(
                    "tests/test_cart.py",
                    after="from shop.catalogue import UnknownProduct\n",
                    new="from shop.discounts import Code\n",
                ),
            ),
            self._do(bash(TESTS, "Run the tests")),
        ]

    def _orders(self) -> list[Reply]:
        return [
            self._do(self._done(2), bash("grep -rn total_cents shop", "Who reads the total")),
            self._do(self._read("shop/payments/gateway.py"), text="Payments reads the total; I only look."),
            self._do(
                self._edit("shop/orders.py", NEW_ORDER, CHECKED_ORDER),
                self._add("shop/orders.py", after="    total_cents: int\n", new="    discount_cents: int = 0\n"),
                text="The gateway charges `order.total_cents`. Decision: total_cents becomes the figure after the "
                "discount and discount_cents stands beside it, so payments needs no change.",
            ),
            self._do(
                self._append("tests/test_orders.py", EMPTY_CART_TEST, ORDER_TEST),
                self._edit("tests/test_orders.py", "import datetime, timezone\n", "import date, datetime, timezone\n"),
                self._add(
                    "tests/test_orders.py",
                    after="from shop.cart import Cart\n",
                    new="from shop.discounts import Code, CodeRefused\n",
                ),
            ),
            self._do(bash(TESTS, "Run the tests")),
            self._do(
                self._edit("shop/orders.py", "(cart.subtotal_cents, now)", "(cart.subtotal_cents, now.date())"),
                text="`now` is a datetime and the last day a date; they do not compare. The order's day counts.",
            ),
            self._do(bash(TESTS, "Run the tests")),
        ]

    def _readme(self) -> list[Reply]:
        check = f"{TESTS} && git status --short && git diff --stat -- shop/payments"
        return [
            self._do(self._done(3), self._read("README.md")),
            self._do(self._add("README.md", after="takes about twenty seconds\n", new=README)),
            self._do(bash(check, "Tests, and what has changed")),
            says(
                "Discount codes work. New: shop/discounts.py with the rules; the cart takes one code and shows the "
                "discount; place_order checks the code and charges the lower total. shop/payments is unchanged, "
                "nothing outside the standard library is used, and all tests pass.",
                delay=self._pace,
            ),
        ]

    def _do(self, *wanted: ToolCall, text: str = "") -> Reply:
        return calls(*wanted, text=text, delay=self._pace)

    def _read(self, path: str) -> ToolCall:
        return ToolCall("Read", {"file_path": str(self._project / path)})

    def _write(self, path: str, content: str) -> ToolCall:
        return ToolCall("Write", {"file_path": str(self._project / path), "content": content})

    def _edit(self, path: str, old: str, new: str) -> ToolCall:
        return ToolCall("Edit", {"file_path": str(self._project / path), "old_string": old, "new_string": new})

    def _add(self, path: str, after: str, new: str) -> ToolCall:
        return self._edit(path, after, after + new)

    def _append(self, path: str, ends_with: str, new: str) -> ToolCall:
        """Add to the end of a file, of which the last three lines name the place."""
        return self._add(path, after="".join(ends_with.splitlines(keepends=True)[-3:]), new=new)

    def _task(self, subject: str, description: str) -> ToolCall:
        return ToolCall("TaskCreate", {"subject": subject, "description": description})

    def _done(self, task: int) -> ToolCall:
        return ToolCall("TaskUpdate", {"taskId": str(task), "status": "completed"})
