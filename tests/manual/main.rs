//! The manual is true to itself and to the program: links, anchors, the wiki, what the pages say of endpoints and tests, and
//! the commands that they show, which are run.

mod blocks;
mod claims;
mod endpoints;
mod links;
mod scenes;
mod wiki;
