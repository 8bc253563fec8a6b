//! Business rules that its users write: each call has limits, and what goes wrong is told with the rule's line.
//!
//! `cargo run -p lupa-core --features serde --example rules`

#![allow(clippy::print_stdout)]

use lupa_core::serde::Serde;
use lupa_core::{Error, ErrorContext, Function, Result, Runtime, function};
use std::fmt;

#[derive(Debug, thiserror::Error)]
#[error("there is no customer {0}")]
struct NoCustomer(u32);

#[derive(Clone, serde::Serialize)]
struct Order {
    customer: u32,
    total: f64,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Discount(f64),
    Refuse(String),
}

/// What the author of a rule is told.
struct Problem {
    rule: String,
    line: Option<u32>,
    text: String,
}

impl Problem {
    /// The innermost line that is in the rule itself: others are of what it calls.
    fn new(rule: &str, error: &Error) -> Self {
        let mut lines = error.locations().into_iter();
        Problem {
            rule: rule.to_owned(),
            line: lines.find(|at| at.chunk == rule).map(|at| at.line),
            text: error.text().into_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.rule, self.text),
            None => write!(f, "{}: {}", self.rule, self.text),
        }
    }
}

struct Rules {
    lua: Runtime,
    rules: Vec<(String, Function)>,
}

impl Rules {
    fn new(customers: Vec<String>) -> Result<Self> {
        let lua = Runtime::builder()
            .sandbox(true)
            .memory_limit(16 << 20)
            .build()?;
        // Time is counted anew for each call.
        #[cfg(unix)]
        lua.set_time_limit(Some(std::time::Duration::from_millis(500)))?;
        let shop = lua.create_table_with(0, 2, |shop| {
            shop.set(
                "customer",
                function(move |id: u32| {
                    let name = customers.get(id as usize).cloned();
                    name.ok_or_else(|| Error::external(NoCustomer(id)))
                }),
            )?;
            shop.set("percent", function(|part: f64, of: f64| part / of * 100.0))
        })?;
        lua.globals()?.set("shop", lua.read_only(&shop)?)?;
        Ok(Rules {
            lua,
            rules: Vec::new(),
        })
    }

    /// A rule defines `decide(order)`. It has globals of its own, and sees those of all.
    fn add(&mut self, name: &str, code: &str) -> Result<(), Problem> {
        let load = || -> Result<Function> {
            let own = self.lua.create_environment()?;
            self.lua
                .load(code)
                .name(format!("@{name}"))
                .environment(&own)
                .exec()?;
            own.get("decide").context("the function 'decide'")
        };
        let rule = load().map_err(|error| Problem::new(name, &error))?;
        self.rules.push((name.to_owned(), rule));
        Ok(())
    }

    /// What the first rule decides that has something to say.
    fn decide(&self, order: &Order) -> Result<Option<Decision>, Problem> {
        for (name, rule) in &self.rules {
            let decision: Option<Serde<Decision>> = rule
                .call(Serde(order))
                .map_err(|error| Problem::new(name, &error))?;
            if let Some(Serde(decision)) = decision {
                return Ok(Some(decision));
            }
        }
        Ok(None)
    }
}

const BANNED: &str = "
function decide(order)
    local name = shop.customer(order.customer)
    if name == 'Bob' then return { refuse = 'no sale to ' .. name } end
end";

const LARGE: &str = "
local function discount(order) return shop.percent(order.total, 1e4) end
function decide(order)
    if order.total > 500 then return { discount = discount(order) } end
end";

pub(crate) fn main() -> Result<()> {
    let mut rules = Rules::new(vec!["Ada".into(), "Bob".into()])?;
    let mut said = Vec::new();
    for (name, code) in [
        ("banned", BANNED),
        ("large", LARGE),
        ("broken", "function decide(order)\n    return order..\nend"),
        ("empty", "x = 1"),
    ] {
        said.push(match rules.add(name, code) {
            Ok(()) => format!("{name}: added"),
            Err(problem) => problem.to_string(),
        });
    }

    let order = |customer, total| Order { customer, total };
    let decide = |rules: &Rules, order| match rules.decide(&order) {
        Ok(decision) => format!("{decision:?}"),
        Err(problem) => problem.to_string(),
    };
    said.push(decide(&rules, order(0, 20.0)));
    said.push(decide(&rules, order(0, 1000.0)));
    said.push(decide(&rules, order(1, 20.0)));
    said.push(decide(&rules, order(7, 20.0)));
    // The mistakes of rules: each has the place of the one before.
    for (code, is_unix) in [
        (
            "function decide(order)\n    return order.item.price\nend",
            false,
        ),
        (
            "function decide(order)\n    shop.percent(order.total)\nend",
            false,
        ),
        (
            "function decide(order) return { discount = 'all' } end",
            false,
        ),
        ("function decide(order) return (('x'):rep(1e9)) end", false),
        ("function decide() while true do end end", true),
    ] {
        if is_unix && !cfg!(unix) {
            continue;
        }
        rules.rules.truncate(2);
        let added = rules.add("mistake", code);
        added.map_err(|problem| Error::message(problem.to_string()))?;
        said.push(decide(&rules, order(0, 20.0)));
    }
    for line in &said {
        println!("{line}");
    }
    let expected = [
        "banned: added",
        "large: added",
        "broken, line 3: broken:3: unexpected symbol near 'end'",
        "empty: the function 'decide': cannot convert nil to function",
        "None",
        "Some(Discount(10.0))",
        "Some(Refuse(\"no sale to Bob\"))",
        "banned, line 3: there is no customer 7",
        "mistake, line 2: mistake:2: attempt to index field 'item' (a nil value)",
        "mistake, line 2: bad argument #2: cannot convert no value to number",
        "mistake: discount: expected f64, got string \"all\"",
        "mistake: not enough memory",
        "mistake, line 1: the time limit of the Lua code has passed",
    ];
    assert_eq!(said, expected[..said.len()]);
    Ok(())
}
