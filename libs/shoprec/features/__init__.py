"""What is known of users, items and texts before an as-of date: DataFrame in, DataFrame out, one file a concern."""
