"""A database under clients on the host: transactions of many small queries, on tables that fit into its memory."""
