package spark

import "testing"

func TestParametersAreWrittenAsSparkDoes(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"each of the three", "SELECT $run_id WHERE d >= $interval_start AND d < $interval_end", "SELECT :run_id WHERE d >= :interval_start AND d < :interval_end"},
		{"not in what is quoted", "SELECT '$run_id', \"$run_id\", `$run_id`, $run_id", "SELECT '$run_id', \"$run_id\", `$run_id`, :run_id"},
		{"a doubled quote goes on", "SELECT 'it''s $run_id' || $run_id", "SELECT 'it''s $run_id' || :run_id"},
		{"not in comments", "SELECT 1 -- $run_id\n, $run_id /* $run_id */", "SELECT 1 -- $run_id\n, :run_id /* $run_id */"},
		{"not a longer name", "SELECT $run_ids", "SELECT $run_ids"},
		{"what has no end", "SELECT 'a $run_id", "SELECT 'a $run_id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Parameters(c.in); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
