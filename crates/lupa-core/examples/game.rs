//! A game's loop: the entities are Rust values, lent to Lua scripts for a frame each; their behaviour is a coroutine of Lua
//! code that yields when it is done with the frame. Each script has globals of its own, and can be replaced while the game runs.
//!
//! `cargo run -p lupa-core --example game`

#![allow(clippy::print_stdout)]

use lupa_core::{
    Coroutine, Function, Members, Operation, Result, Runtime, Sequence, UserType, function_mut,
};

/// A point of the plane: a small value, copied between Lua and Rust.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vector {
    x: f64,
    y: f64,
}

impl UserType for Vector {
    const NAME: &'static str = "Vector";

    fn members(members: &mut Members<Self>) {
        members
            .field("x", |this| this.x, |this, x| this.x = x)
            .field("y", |this| this.y, |this, y| this.y = y)
            .function("new", |x: f64, y: f64| Vector { x, y })
            .function("length", |this: &Self| this.x.hypot(this.y))
            .metamethod(Operation::Add, |a: &Self, b: &Self| Vector {
                x: a.x + b.x,
                y: a.y + b.y,
            })
            .metamethod(Operation::Sub, |a: &Self, b: &Self| Vector {
                x: a.x - b.x,
                y: a.y - b.y,
            })
            .metamethod(Operation::Mul, |a: &Self, by: f64| Vector {
                x: a.x * by,
                y: a.y * by,
            })
            .metamethod(Operation::Eq, |a: &Self, b: &Self| a == b);
    }
}

struct Entity {
    name: &'static str,
    position: Vector,
    health: i32,
}

impl UserType for Entity {
    const NAME: &'static str = "Entity";

    fn members(members: &mut Members<Self>) {
        members
            .read_only("name", |this| this.name)
            .read_only("position", |this| this.position)
            .read_only("health", |this| this.health)
            .function("move", |this: &mut Self, by: &Vector| {
                this.position.x += by.x;
                this.position.y += by.y;
            })
            .function("hurt", |this: &mut Self, points: i32| {
                this.health = (this.health - points).max(0);
                this.health == 0
            });
    }
}

/// Walks up to the nearest other and strikes. It gets its entity and the others anew each frame, from the yield.
const WOLF: &str = "
    strikes = 0

    function act(me, others)
        while true do
            local prey = others[1]
            local way = prey.position - me.position
            if way:length() > 1 then
                me:move(way * (1 / way:length()))
            else
                strikes = strikes + 1
                if prey:hurt(4) then
                    say(me.name .. ' got ' .. prey.name .. ' with ' .. strikes .. ' strikes')
                    return
                end
            end
            me, others = coroutine.yield()
        end
    end";

/// Eats and sees nothing.
const SHEEP: &str = "
    function act(me)
        while true do me = coroutine.yield() end
    end";

/// Eats for two frames, then steps aside.
const SHEEP_2: &str = "
    function act(me, others)
        while me.health > 0 do
            for i = 1, 2 do me, others = coroutine.yield() end
            me:move(Vector.new(0, 0.5))
            me, others = coroutine.yield()
        end
    end";

/// Loads a script and starts its `act`. It finds what all share, and puts what it defines into a table of its own:
/// neither another script nor an older version of it is in the way.
fn behaviour(lua: &Runtime, name: &str, code: &str) -> Result<Coroutine> {
    let environment = lua.create_environment()?;
    let chunk = lua.load(code).name(format!("@{name}.lua"));
    chunk.environment(&environment).exec()?;
    environment.get::<Function>("act")?.coroutine()
}

struct Actor {
    entity: Entity,
    mind: Coroutine,
}

pub(crate) fn main() -> Result<()> {
    let lua = Runtime::new()?;
    // A script that does not end its frame is a bug that must not stop the game.
    #[cfg(unix)]
    lua.set_time_limit(Some(std::time::Duration::from_millis(1000)))?;
    let globals = lua.globals()?;
    globals.set("Vector", lua.type_table::<Vector>()?)?;
    let (sender, said) = std::sync::mpsc::channel();
    globals.set(
        "say",
        function_mut(move |line: String| drop(sender.send(line))),
    )?;

    let actor = |name, x, health, code| -> Result<Actor> {
        Ok(Actor {
            entity: Entity {
                name,
                position: Vector { x, y: 0.0 },
                health,
            },
            mind: behaviour(&lua, name, code)?,
        })
    };
    let mut actors = vec![
        actor("wolf", 0.0, 20, WOLF)?,
        actor("sheep", 4.0, 10, SHEEP)?,
    ];

    let mut frames = 0;
    while frames < 100 && !actors[0].mind.status()?.has_ended() {
        frames += 1;
        if frames == 3 {
            // The script was edited. Its entity is as it was; its behaviour begins anew.
            actors[1].mind = behaviour(&lua, "sheep", SHEEP_2)?;
        }
        frame(&lua, &mut actors)?;
        // The collector works in the time that is left of a frame, not when it likes.
        lua.gc_step(10)?;
    }

    let said: Vec<String> = said.try_iter().collect();
    println!("after {frames} frames: {}", said.join(", "));
    assert_eq!(said, ["wolf got sheep with 3 strikes"]);
    assert!(!lua.globals()?.contains_key("act")?);
    assert_eq!(actors[1].entity.health, 0);
    assert!(actors[1].entity.position.y > 0.0);
    assert!(frames > 5 && frames < 20);
    Ok(())
}

/// Lets each entity act once. Lua code has the entities for this time only: one that it keeps cannot be used any more.
fn frame(lua: &Runtime, actors: &mut [Actor]) -> Result<()> {
    let (mut entities, minds): (Vec<_>, Vec<_>) = actors
        .iter_mut()
        .map(|actor| (&mut actor.entity, &actor.mind))
        .unzip();
    lua.scope(|scope| {
        let lent = entities
            .iter_mut()
            .map(|entity| scope.object_mut(&mut **entity))
            .collect::<Result<Vec<_>>>()?;
        for (index, mind) in minds.iter().enumerate() {
            if mind.status()?.has_ended() {
                continue;
            }
            let others = lent.iter().enumerate().filter(|(other, _)| *other != index);
            let others = Sequence(others.map(|(_, entity)| entity));
            mind.resume::<()>((&lent[index], others))?;
        }
        Ok(())
    })
}
