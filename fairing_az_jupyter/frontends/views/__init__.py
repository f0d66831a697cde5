"""Results for people: tables, reports and progress, as text and as HTML."""
