package lake

import (
	"strconv"
	"time"

	"github.com/apache/iceberg-go/table"
)

// What every new table has. Iceberg's own defaults keep every manifest and every metadata file for ever, so that a table
// with a commit each 10 s grows slower by the hour.
var defaults = map[string]string{
	table.PropertyFormatVersion:               "2",
	table.ParquetCompressionKey:               "zstd",
	table.ParquetCompressionLevelKey:          "1",
	table.ParquetRowGroupLimitKey:             "122880",
	table.ParquetDictSizeBytesKey:             strconv.Itoa(64 << 10), // a nearly unique column leaves its dictionary soon
	table.ManifestMergeEnabledKey:             "true",
	table.ManifestMinMergeCountKey:            "20",
	table.MetadataDeleteAfterCommitEnabledKey: "true",
	table.MetadataPreviousVersionsMaxKey:      "20",
	table.MinSnapshotsToKeepKey:               "20",
	table.MaxSnapshotAgeMsKey:                 strconv.FormatInt(time.Hour.Milliseconds(), 10),
	table.WriteDeleteModeKey:                  table.WriteModeCopyOnWrite,
	"weir.expire-every-snapshots":             "50",
}

// expire drops old snapshots in the same metadata swap as the rows, each time that enough have come together.
func expire(tx *table.Transaction, tbl *table.Table) error {
	every := tbl.Properties().GetInt("weir.expire-every-snapshots", 50)
	if every <= 0 || len(tbl.Metadata().Snapshots()) < every {
		return nil
	}
	return tx.ExpireSnapshots()
}
