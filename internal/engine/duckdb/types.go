package duckdb

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// ToArrow says which type a table's column gets for a column of a result.
func ToArrow(duck string) (arrow.DataType, error) {
	switch duck {
	case "BOOLEAN":
		return arrow.FixedWidthTypes.Boolean, nil
	case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT":
		return arrow.PrimitiveTypes.Int32, nil
	case "BIGINT", "UINTEGER":
		return arrow.PrimitiveTypes.Int64, nil
	case "HUGEINT", "UBIGINT", "UHUGEINT": // sum(BIGINT) among them
		return &arrow.Decimal128Type{Precision: 38}, nil
	case "FLOAT":
		return arrow.PrimitiveTypes.Float32, nil
	case "DOUBLE":
		return arrow.PrimitiveTypes.Float64, nil
	case "VARCHAR", "ENUM", "JSON":
		return arrow.BinaryTypes.String, nil
	case "BLOB":
		return arrow.BinaryTypes.Binary, nil
	case "DATE":
		return arrow.FixedWidthTypes.Date32, nil
	case "TIME":
		return arrow.FixedWidthTypes.Time64us, nil
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, nil
	case "UUID":
		return arrow.BinaryTypes.String, nil
	}
	var p, s int32
	if n, err := fmt.Sscanf(duck, "DECIMAL(%d,%d)", &p, &s); n == 2 && err == nil && strings.HasSuffix(duck, ")") {
		return &arrow.Decimal128Type{Precision: p, Scale: s}, nil
	}
	if strings.HasPrefix(duck, "ENUM(") && strings.HasSuffix(duck, ")") {
		return arrow.BinaryTypes.String, nil
	}
	return nil, fmt.Errorf("a result of type %s has no place in a table in this version: cast it, for example to VARCHAR", duck)
}
