-- What somebody has watched, newest first.
CREATE INDEX watch_sessions_by_user ON watch_sessions (user_id, started_at DESC, id DESC);
