-- One SELECT, in DuckDB's SQL. It sees the tables of the catalog and nothing else.
SELECT value_date AS day,
       country,
       count(*) AS transactions,
       sum(amount) AS amount,
       count(DISTINCT account_id) AS accounts
FROM bank.transactions
GROUP BY ALL
ORDER BY ALL
