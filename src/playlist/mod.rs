//! Playlists: model, render, parse, check.
