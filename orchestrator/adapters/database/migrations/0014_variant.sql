-- Which variant of its workflow a machine was ordered for: its files and its graph follow from it.

ALTER TABLE instance ADD COLUMN variant TEXT NOT NULL DEFAULT '';
