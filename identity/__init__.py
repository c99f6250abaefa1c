"""Who is one customer: normalising, linking, ids that outlive the night, the golden record, and why (`resolve`, `explain`)."""
