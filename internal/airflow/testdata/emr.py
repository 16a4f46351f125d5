"""transactions
totals: Daily 'totals' of € accounts

Written by `pipeline airflow`: change the job files and write it again.
A task may run twice for the same data interval: the second run adds nothing.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

# The data interval of the DAG run, [start, end), in the words of `pipeline`; its time zone tells the business date.
INTERVAL = (
    "{{ data_interval_start.in_timezone('Europe/Berlin').isoformat() }}/"
    "{{ data_interval_end.in_timezone('Europe/Berlin').isoformat() }}"
)

with DAG(
    dag_id="weir_bank",
    # A timetable of its own: what a bare cron string means depends on the installation.
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="Europe/Berlin"),
    start_date=pendulum.datetime(2026, 11, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    tags=["weir", "unit:payments", "unit:finance"],
    doc_md=__doc__,
) as dag:
    run_transactions = BashOperator(
        task_id="transactions",
        bash_command="pipeline submit transactions --to emr --home /srv/weir/home --project '/srv/weir/it'\\''s here' --json --interval " + INTERVAL,
        append_env=True,
        retries=2,
        retry_delay=timedelta(seconds=90),
        retry_exponential_backoff=True,
    )

    run_totals = BashOperator(
        task_id="totals",
        bash_command="pipeline submit totals --to emr --home /srv/weir/home --project '/srv/weir/it'\\''s here' --json --interval " + INTERVAL,
        append_env=True,
        owner="data-team",
        retries=3,
        retry_delay=timedelta(seconds=60),
        retry_exponential_backoff=True,
        execution_timeout=timedelta(seconds=7200),
        doc_md="Daily \"totals\" of € accounts",
    )

    run_transactions >> run_totals
