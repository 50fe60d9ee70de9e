"""The report page: pictures of fields, answers in sentences, methods and provenance."""
