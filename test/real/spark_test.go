//go:build real

package real

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"weir/test/real/parts"
)

// checksum.py is what other tests trust when they compare an engine with Spark, so it is compared with an answer made here.
func TestTheChecksumThatSparkComputesIsTheOneWeMean(t *testing.T) {
	dir := t.TempDir()
	env := parts.SparkCatalog("jdbc:sqlite:"+filepath.Join(dir, "catalog.db"), filepath.Join(dir, "warehouse"))
	parts.SparkSubmit(t, "sql.py", env,
		"create namespace weir.bank",
		"create table weir.bank.t using iceberg as select id, cast(id as decimal(10,2)) amount, if(id % 3 = 0, null, concat('ü', id)) note from range(1000)")

	out := parts.SparkSubmit(t, "checksum.py", env, "weir.bank.t", "id", "cast(amount as string)", "coalesce(note, 'null')")
	var got, want struct {
		Rows     int64  `json:"rows"`
		Checksum uint64 `json:"checksum"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	for id := range 1000 {
		note := fmt.Sprintf("ü%d", id)
		if id%3 == 0 {
			note = "null"
		}
		sum := md5.Sum(fmt.Appendf(nil, "%d|%d.00|%s", id, id, note))
		want.Rows++
		want.Checksum += uint64(binary.BigEndian.Uint32(sum[:4])) // 8 hex digits
	}
	if got != want {
		t.Errorf("Spark says %+v, want %+v", got, want)
	}
}
