//! Where Lua code spends its time.

use crate::error::Result;
use crate::raw::profiler::{Counts, Settings};
use crate::runtime::Runtime;
use std::fmt::Write;
use std::time::Duration;

/// How to profile; see [`Runtime::profile`].
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{ProfileOptions, Runtime};
/// use std::time::Duration;
///
/// let lua = Runtime::new()?;
/// let options = ProfileOptions::default().interval(Duration::from_millis(1)).depth(1).lines(true);
/// let profiler = lua.profile(options)?;
/// lua.load("local start = os.clock()\nrepeat local s = ('x'):rep(100)\nuntil os.clock() - start > 0.1").exec()?;
/// let profile = profiler.stop()?;
/// assert!(!profile.samples.is_empty());
/// for sample in &profile.samples {
///     let [frame] = &sample.frames[..] else { panic!("one frame is asked for") };
///     assert!(frame.line.is_none_or(|line| line <= 3), "{frame}");
/// }
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileOptions {
    /// Processor time between two samples, in whole milliseconds: at least one. 10 ms at first, which is
    /// also about what systems offer.
    pub interval: Duration,
    /// The most frames of a stack to look at, the innermost ones; 64 at first.
    pub depth: u16,
    /// Whether frames tell the line that runs, or where their function starts.
    pub lines: bool,
}

impl Default for ProfileOptions {
    fn default() -> Self {
        ProfileOptions {
            interval: Duration::from_millis(10),
            depth: 64,
            lines: false,
        }
    }
}

impl ProfileOptions {
    /// Sets the interval.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the depth.
    #[must_use]
    pub fn depth(mut self, frames: u16) -> Self {
        self.depth = frames;
        self
    }

    /// Sets whether lines are told apart.
    #[must_use]
    pub fn lines(mut self, lines: bool) -> Self {
        self.lines = lines;
        self
    }
}

impl Runtime {
    /// Samples where this runtime's Lua code spends its time, until the profiler that it gives is stopped or dropped.
    ///
    /// It is LuaJIT's own profiler: it sees interpreted and compiled code, and costs next to nothing between samples. To
    /// start and to stop it throws compiled code away, which is then compiled again. There can be one in a process, and it uses
    /// SIGPROF and the timer `ITIMER_PROF`, which nothing else may use meanwhile. Only time of the processor counts, so
    /// waiting is not seen. Time limits and interrupts go on to work.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{ProfileOptions, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let profiler = lua.profile(ProfileOptions::default())?;
    /// lua.load("local t = {} for i = 1, 1e6 do t[i % 100] = tostring(i) end").exec()?;
    /// let profile = profiler.stop()?;
    /// for sample in &profile.samples {
    ///     println!("{} times in {:?}", sample.count, sample.frames.first());
    /// }
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error if a profiler runs in this process, also one of Lua code (`jit.profile`) of another runtime;
    /// `Error::Unavailable` where there are no signals; `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn profile(&self, options: ProfileOptions) -> Result<Profiler> {
        let settings = Settings {
            milliseconds: u32::try_from(options.interval.as_millis())
                .unwrap_or(u32::MAX)
                .clamp(1, 1_000_000),
            depth: options.depth,
            lines: options.lines,
        };
        self.shared()
            .enter(|stack| stack.start_profiler(&settings))?;
        Ok(Profiler {
            runtime: self.clone(),
            is_running: true,
        })
    }
}

/// A profiler at work; see [`Runtime::profile`]. It keeps the runtime alive.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{ProfileOptions, Profiler, Runtime};
///
/// let lua = Runtime::new()?;
/// let profiler: Profiler = lua.profile(ProfileOptions::default())?;
/// assert!(lua.profile(ProfileOptions::default()).is_err()); // one at a time
/// lua.load("local start = os.clock() repeat until os.clock() - start > 0.1").exec()?;
/// assert!(profiler.stop()?.total() > 0);
/// assert!(lua.profile(ProfileOptions::default()).is_ok());
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the profiler stops when it is dropped"]
pub struct Profiler {
    runtime: Runtime,
    is_running: bool,
}

impl Profiler {
    /// Stops it and gives what it has seen. Waits while another thread uses the runtime.
    ///
    /// # Errors
    /// `Error::RecursionLimit`, `Error::Forked`: it samples no more, but what it has seen is lost.
    pub fn stop(mut self) -> Result<Profile> {
        self.is_running = false;
        self.runtime.shared().stop_profiler().map(Profile::new)
    }
}

impl Drop for Profiler {
    fn drop(&mut self) {
        if self.is_running {
            // There is nobody to tell; whatever it was, no more is kept.
            let _ = self.runtime.shared().stop_profiler();
        }
    }
}

/// What the virtual machine was doing when a sample was due. The stack is looked at a little later, at the next
/// instruction.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{ProfileOptions, Runtime, VmState};
///
/// let lua = Runtime::new()?;
/// lua.jit().set_enabled(false)?;
/// let profiler = lua.profile(ProfileOptions::default())?;
/// lua.load("local start = os.clock() repeat until os.clock() - start > 0.1").exec()?;
/// let profile = profiler.stop()?;
/// let time = |state| profile.samples.iter().filter(|sample| sample.state == state).map(|sample| sample.count).sum::<u64>();
/// assert!(time(VmState::Interpreted) + time(VmState::C) > 0);
/// assert_eq!(time(VmState::Compiled) + time(VmState::Compiler), 0);
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum VmState {
    /// Running compiled code.
    Compiled,
    /// Running code in the interpreter.
    Interpreted,
    /// Running a C function, or one of the host.
    C,
    /// Collecting garbage.
    Collector,
    /// Compiling.
    Compiler,
}

impl VmState {
    pub(crate) fn from_letter(letter: u8) -> Self {
        match letter {
            b'N' => VmState::Compiled,
            b'C' => VmState::C,
            b'G' => VmState::Collector,
            b'J' => VmState::Compiler,
            _ => VmState::Interpreted,
        }
    }
}

/// One call on the stack of a sample.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{ProfileFrame, ProfileOptions, Runtime};
///
/// let lua = Runtime::new()?;
/// let code = "local function work()\nlocal start = os.clock() repeat until os.clock() - start > 0.1 end\nwork()";
/// let profiler = lua.profile(ProfileOptions::default())?;
/// lua.load(code).name("@main.lua").exec()?;
/// let profile = profiler.stop()?;
/// // The outermost call is the chunk, and there is one inside.
/// let frames: &[ProfileFrame] = &profile.samples[0].frames;
/// let [.., work, chunk] = frames else { panic!("{frames:?}") };
/// assert!(chunk.is_chunk && chunk.line.is_none());
/// assert_eq!((work.name.as_deref(), work.source.as_str(), work.line), (Some("work"), "main.lua", Some(1)));
/// assert_eq!(work.to_string(), "work (main.lua:1)");
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ProfileFrame {
    /// The name by which the function was called, if the caller tells.
    pub name: Option<String>,
    /// The name of the function's chunk, as messages show it; `[C]` for C functions.
    pub source: String,
    /// The line that runs, or the one where the function starts: see [`ProfileOptions::lines`]. `None` for C functions,
    /// and for whole chunks, which start nowhere.
    pub line: Option<u32>,
    /// Whether it is a whole chunk.
    pub is_chunk: bool,
}

impl std::fmt::Display for ProfileFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({}", self.source)?,
            None if self.is_chunk => write!(f, "chunk ({}", self.source)?,
            None => write!(f, "function ({}", self.source)?,
        }
        match self.line {
            Some(line) => write!(f, ":{line})"),
            None => f.write_str(")"),
        }
    }
}

/// How often one stack was seen in one state of the machine.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{ProfileOptions, ProfileSample, Runtime};
///
/// /// What part of all samples have a call in a file, at any depth.
/// fn share(samples: &[ProfileSample], file: &str) -> f64 {
///     let all: u64 = samples.iter().map(|sample| sample.count).sum();
///     let inside = samples.iter().filter(|sample| sample.frames.iter().any(|frame| frame.source == file));
///     inside.map(|sample| sample.count).sum::<u64>() as f64 / all as f64
/// }
///
/// let lua = Runtime::new()?;
/// let profiler = lua.profile(ProfileOptions::default())?;
/// lua.load("local start = os.clock() repeat until os.clock() - start > 0.1").name("@busy.lua").exec()?;
/// let profile = profiler.stop()?;
/// assert!(share(&profile.samples, "busy.lua") > 0.5);
/// assert_eq!(share(&profile.samples, "idle.lua"), 0.0);
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileSample {
    /// The calls, innermost first.
    pub frames: Vec<ProfileFrame>,
    /// What the machine was doing.
    pub state: VmState,
    /// Number of intervals that ended here.
    pub count: u64,
}

/// What a [`Profiler`] has seen.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{ProfileOptions, Runtime};
///
/// let lua = Runtime::new()?;
/// let code = "local function work()\nlocal start = os.clock() repeat until os.clock() - start > 0.1 end\nwork()";
/// let profiler = lua.profile(ProfileOptions::default())?;
/// lua.load(code).name("@main.lua").exec()?;
/// let profile = profiler.stop()?;
/// // Lines such as `chunk (main.lua);work (main.lua:1) 9`: their numbers are the counts.
/// let lines = profile.folded();
/// assert!(lines.contains("chunk (main.lua);work (main.lua:1)"));
/// let counts = lines.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
/// assert_eq!(counts.sum::<u64>(), profile.total());
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The most frequent ones first.
    pub samples: Vec<ProfileSample>,
}

impl Profile {
    fn new(counts: Counts) -> Self {
        let mut samples: Vec<_> = counts
            .into_iter()
            .map(|((state, frames), count)| ProfileSample {
                frames,
                state,
                count,
            })
            .collect();
        samples.sort_by(|a, b| {
            let key = |sample: &ProfileSample| std::cmp::Reverse(sample.count);
            key(a)
                .cmp(&key(b))
                .then_with(|| a.frames.cmp(&b.frames))
                .then(a.state.cmp(&b.state))
        });
        Profile { samples }
    }

    /// Number of all intervals.
    pub fn total(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum()
    }

    /// The stacks in the form that programs that draw flame graphs read: a line for each, its calls from
    /// the outermost one, with `;` between them, and how often it was seen.
    pub fn folded(&self) -> String {
        let mut text = String::new();
        for sample in &self.samples {
            let calls: Vec<_> = sample
                .frames
                .iter()
                .rev()
                .map(|frame| frame.to_string().replace([';', '\n'], "_"))
                .collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {}", calls.join(";"), sample.count);
        }
        text
    }
}
