//! Action: everything a user can mean, with its name in the keymap and its line in the help.

macro_rules! actions {
    ($($action:ident $name:literal $help:literal;)*) => {
        /// What a user can mean. The name is the user's API: keymap files use it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $(#[doc = $help] $action,)* }

        /// Every action, in the order of the help overlay.
        pub const ACTIONS: &[Action] = &[$(Action::$action,)*];

        impl Action {
            /// Its name in keymap files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }

            /// What it does, for the help overlay.
            pub fn help(self) -> &'static str {
                match self { $(Self::$action => $help,)* }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                ACTIONS.iter().copied().find(|action| action.name() == name)
            }
        }
    };
}

actions! {
    Open "open" "open what is selected; fold or unfold JSON";
    Back "back" "go back one level, clear the marks, then the filter; never quits";
    Up "up" "one row up";
    Down "down" "one row down";
    PageUp "page_up" "one page up";
    PageDown "page_down" "one page down";
    HalfUp "half_up" "half a page up";
    HalfDown "half_down" "half a page down";
    Top "top" "to the top, and follow what is new";
    Bottom "bottom" "to the bottom";
    NextPane "next_pane" "next pane";
    PreviousPane "previous_pane" "previous pane";
    Left "left" "left pane, or fold JSON";
    Right "right" "right pane, or unfold JSON";
    Tasks "tasks" "screen 1, tasks";
    Events "events" "screen 2, events";
    Deliveries "deliveries" "screen 3, deliveries";
    Endpoints "endpoints" "screen 4, endpoints";
    Health "health" "screen 5, health of the link";
    Received "received" "screen 6, what a receiver here got, where one listens";
    Palette "palette" "find an action by its name and do it";
    Filter "filter" "filter as you type: failed, visual:processing, !word";
    Sort "sort" "sort by the next column";
    Reverse "reverse" "reverse the order";
    Replay "replay" "plan a replay; nothing is sent before you confirm";
    Bulk "bulk" "plan the replay of many: the marked, the list, a cause, an endpoint, a task";
    Replays "replays" "every replay, and the attempt it caused";
    GiveUp "give_up" "stop waiting for the replay that is selected, having looked yourself";
    Choose "choose" "mark a message; in a plan, choose or leave out";
    MarkAll "mark_all" "mark every message of the list, or none";
    Await "await" "in a plan, leave to the service what it tries again by itself";
    Route "route" "in a plan, another route: the service's resend, a POST from here, Svix's recover";
    Undo "undo" "take back what is not sent yet";
    Send "send" "send what is chosen, once";
    Manage "manage" "manage the endpoint: edit, disable, secret, example, delete";
    Create "create" "create a webhook endpoint";
    Save "save" "save the signing secret that is shown, for you alone";
    Causes "causes" "the causes of all failures; enter shows the messages of one";
    Verify "verify" "look at the signature of the received request again";
    Diff "diff" "compare an attempt, or a message, with the one before it; again: side by side";
    Losses "losses" "what of this list was dropped, or could not be read";
    Copy "copy" "copy the id of what is selected, or the JSON";
    Freeze "freeze" "freeze the screen, or let it go on";
    Refresh "refresh" "read everything again now, and reconnect if the link is down";
    Help "help" "show or hide this help";
    Keep "keep" "keep the filter and leave the prompt";
    Redraw "redraw" "draw the whole screen again";
    Suspend "suspend" "suspend the program; fg brings it back";
    Quit "quit" "quit";
    Interrupt "interrupt" "quit at once, also out of a prompt";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_read_back() {
        for action in ACTIONS {
            assert_eq!(Action::from_name(action.name()), Some(*action));
        }
    }
}
