//! The thinking: pure functions, `now` is an argument. Knows nothing of the world.

pub mod reboot;
pub mod return_codes;
pub mod steps;

// What an agent that is built alone does not have.
cfg_if::cfg_if! {
    if #[cfg(feature = "orchestrator")] {
        pub mod almanac;
        mod almanacs;
        pub mod calendar;
        pub mod calls;
        pub mod checker;
        pub mod circles;
        pub mod civil;
        pub mod closed;
        pub mod durations;
        pub mod escalation;
        pub mod feed_expiry;
        pub mod feed_health;
        pub mod handout;
        pub mod holidays;
        mod hours_text;
        pub mod hours_words;
        pub mod inspect;
        #[cfg(test)]
        mod laws;
        pub mod letters;
        pub mod load;
        pub mod notice;
        pub mod planner;
        pub mod reconcile;
        pub mod recount;
        pub mod reminders;
        pub mod report;
        pub mod requests;
        pub mod retry;
        pub mod rollout;
        pub mod rehearse;
pub mod rounds;
        pub mod settle;
        pub mod silence;
        pub mod terms;
        pub mod terms_words;
        pub mod window;
        mod window_lint;
        pub mod window_notes;
        pub mod world;
    }
}
