package hive

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/engine"
)

// ToArrow says which type a table's column gets for a column of a result, as Spark names it.
func ToArrow(spark string) (arrow.DataType, error) {
	switch spark {
	case "boolean":
		return arrow.FixedWidthTypes.Boolean, nil
	case "tinyint", "smallint", "int":
		return arrow.PrimitiveTypes.Int32, nil
	case "bigint":
		return arrow.PrimitiveTypes.Int64, nil
	case "float":
		return arrow.PrimitiveTypes.Float32, nil
	case "double":
		return arrow.PrimitiveTypes.Float64, nil
	case "string":
		return arrow.BinaryTypes.String, nil
	case "binary":
		return arrow.BinaryTypes.Binary, nil
	case "date":
		return arrow.FixedWidthTypes.Date32, nil
	case "timestamp":
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, nil
	case "timestamp_ntz":
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	}
	var p, s int32
	if n, err := fmt.Sscanf(spark, "decimal(%d,%d)", &p, &s); n == 2 && err == nil {
		return &arrow.Decimal128Type{Precision: p, Scale: s}, nil
	}
	if strings.HasPrefix(spark, "varchar(") || strings.HasPrefix(spark, "char(") {
		return arrow.BinaryTypes.String, nil
	}
	return nil, fmt.Errorf("a result of type %s has no place in a table in this version: cast it, for example to STRING", spark)
}

// sparkType is the name that Spark has for a type of a table's column, which engine.Column names as DuckDB does.
func sparkType(duck string) (string, error) {
	switch duck {
	case "BOOLEAN", "BIGINT", "FLOAT", "DOUBLE", "DATE":
		return duck, nil
	case "INTEGER":
		return "INT", nil
	case "VARCHAR":
		return "STRING", nil
	case "BLOB":
		return "BINARY", nil
	case "TIMESTAMP":
		return "TIMESTAMP_NTZ", nil
	case "TIMESTAMP WITH TIME ZONE":
		return "TIMESTAMP", nil
	}
	if strings.HasPrefix(duck, "DECIMAL(") {
		return duck, nil
	}
	return "", fmt.Errorf("Spark has no type for %s", duck)
}

// kinds are the types of a result's columns.
func kinds(columns []engine.Column) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.Type
	}
	return all
}

// cell is where the client library puts a value of a type, and how it becomes what engine.Result promises.
func cell(kind string) (into any, value func() (any, error)) {
	switch kind {
	case "boolean":
		return slot[bool]()
	case "tinyint":
		return slot[int8]()
	case "smallint":
		return slot[int16]()
	case "int":
		return slot[int32]()
	case "bigint":
		return slot[int64]()
	case "double":
		return slot[float64]()
	case "float":
		v := new(*float64)
		return v, func() (any, error) {
			if *v == nil {
				return nil, nil
			}
			return float32(**v), nil
		}
	case "binary":
		v := new([]byte)
		return v, func() (any, error) {
			if *v == nil {
				return nil, nil
			}
			return *v, nil
		}
	}
	v := new(*string)
	return v, func() (any, error) {
		if *v == nil {
			return nil, nil
		}
		return parseText(kind, **v)
	}
}

func slot[T any]() (any, func() (any, error)) {
	v := new(*T)
	return v, func() (any, error) {
		if *v == nil {
			return nil, nil
		}
		return **v, nil
	}
}

// parseText makes a time of what arrives as a text; the session's zone is UTC.
func parseText(kind, s string) (any, error) {
	switch kind {
	case "date":
		return time.Parse(time.DateOnly, s)
	case "timestamp", "timestamp_ntz":
		return time.Parse("2006-01-02 15:04:05.999999", s)
	}
	return s, nil
}
