-- A camera without a secret is refused from now on, unless it is said of it that it may come in so: whoever knows its id can pass for it.

ALTER TABLE appliances ADD COLUMN accepts_unproven boolean NOT NULL DEFAULT false,
  ADD CHECK (dialect = 'signaling' OR NOT accepts_unproven);
