package etl

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/config"
)

// Config is the `etl` section of a job file.
type Config struct {
	Files      Files      `yaml:"files" jsonschema:"required,description=which files"`
	Format     Format     `yaml:"format,omitempty" jsonschema:"description=how they are written; default: CSV with a header in UTF-8"`
	Columns    []Column   `yaml:"columns" jsonschema:"required,description=what the files hold"`
	Select     []Select   `yaml:"select,omitempty" jsonschema:"description=columns of the table as SQL expressions; left out: all columns as they are"`
	Where      string     `yaml:"where,omitempty" jsonschema:"description=SQL condition of the rows that are kept; the others are counted as filtered"`
	Table      string     `yaml:"table" jsonschema:"required,description=destination table with its namespace: sales.orders"`
	Mode       string     `yaml:"mode" jsonschema:"required,enum=replace,enum=append,description=what becomes of the rows of the same business date"`
	Quarantine Quarantine `yaml:"quarantine,omitempty" jsonschema:"description=how many refused lines are kept before the job stops"`
}

// Files is the `files` block.
type Files struct {
	Dir     string `yaml:"dir" jsonschema:"required,description=directory; relative to the job file"`
	Pattern string `yaml:"pattern" jsonschema:"required,description=name with * and ? and the business date as {date} (2026-11-20) or {date:%Y%m%d}: sales_{date}.csv"`
}

// Format is the `format` block.
type Format struct {
	Delimiter string      `yaml:"delimiter,omitempty" jsonschema:"description=one character or tab; default a comma"`
	Quote     string      `yaml:"quote,omitempty" jsonschema:"description=one character or none; default a double quote"`
	Header    *bool       `yaml:"header,omitempty" jsonschema:"description=the first line names the columns; default true"`
	Encoding  string      `yaml:"encoding,omitempty" jsonschema:"enum=utf-8,enum=latin-1,description=default utf-8"`
	Comment   string      `yaml:"comment,omitempty" jsonschema:"description=lines that begin with it are left out"`
	Null      []string    `yaml:"null,omitempty" jsonschema:"description=texts that stand for no value when they are not quoted there; default the empty text; write NULL in quotes here"`
	MaxField  config.Size `yaml:"max_field,omitempty" jsonschema:"description=longest field, default 1MiB"`
}

// Column of a file.
type Column struct {
	Name     string `yaml:"name" jsonschema:"required,description=name in the table and in expressions"`
	Type     string `yaml:"type" jsonschema:"required,description=string or int or bigint or double or boolean or date or timestamp or decimal(18,2)"`
	Format   string `yaml:"format,omitempty" jsonschema:"description=of a date or timestamp: %d.%m.%Y (strftime); default ISO 8601. Of a number: 1.234.56 with the decimal sign last, such as \"1.234,56\""`
	Source   string `yaml:"source,omitempty" jsonschema:"description=name in the header, if that is another"`
	Required bool   `yaml:"required,omitempty" jsonschema:"description=a line without a value is refused"`
}

// Select is one column of the table.
type Select struct {
	Name string `yaml:"name" jsonschema:"required,description=name in the table"`
	SQL  string `yaml:"sql" jsonschema:"required,description=expression over the columns of the file and business_date: amount * 2"`
}

// Quarantine is the `quarantine` block.
type Quarantine struct {
	MaxRows  config.Count   `yaml:"max_rows,omitempty" jsonschema:"description=refused lines of one run, default 10k"`
	MaxShare config.Percent `yaml:"max_share,omitempty" jsonschema:"description=of all lines, asked from 10k lines on, default 1%"`
}

var (
	tableForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`)
	columnForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	dateMark   = regexp.MustCompile(`\{date(?::([^}]*))?\}`)
	decimal    = regexp.MustCompile(`^decimal\((\d{1,2}),\s*(\d{1,2})\)$`)
)

// reserved are columns that etl adds.
var reserved = []string{dateColumn, fileColumn, lineColumn}

// Validate names what is wrong with each field.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if !tableForm.MatchString(c.Table) {
		say("table", "expected a name with its namespace, such as sales.orders, got %q", c.Table)
	}
	if c.Mode != "replace" && c.Mode != "append" {
		say("mode", "expected replace or append, got %q", c.Mode)
	}
	if n := len(dateMark.FindAllString(c.Files.Pattern, -1)); n > 1 {
		say("files.pattern", "expected {date} at most once, got %q", c.Files.Pattern)
	} else if _, err := newPattern(c.Files.Pattern); err != nil {
		say("files.pattern", "%v", err)
	}
	c.Format.validate(say)
	c.columns(say)
	return bad
}

func (f Format) validate(say func(path, format string, args ...any)) {
	one := func(path, v string, words ...string) {
		for _, w := range words {
			if v == w {
				return
			}
		}
		if v != "" && (utf8.RuneCountInString(v) != 1 || v[0] >= utf8.RuneSelf || v == "\n" || v == "\r") {
			say("format."+path, "expected one character%s, got %q", map[bool]string{true: " or " + strings.Join(words, " or ")}[len(words) > 0], v)
		}
	}
	one("delimiter", f.Delimiter, "tab")
	one("quote", f.Quote, "none")
	one("comment", f.Comment)
	if f.delimiter() == f.quote() {
		say("format.quote", "expected another character than the delimiter, got %q", f.Quote)
	}
	if f.Encoding != "" && f.Encoding != "utf-8" && f.Encoding != "latin-1" {
		say("format.encoding", "expected utf-8 or latin-1, got %q", f.Encoding)
	}
}

func (c Config) columns(say func(path, format string, args ...any)) {
	if len(c.Columns) == 0 {
		say("columns", "expected at least one column")
	}
	seen := map[string]bool{}
	named := func(path, name string) {
		low := strings.ToLower(name)
		switch {
		case !columnForm.MatchString(name):
			say(path, "expected a name of letters, digits and _, got %q", name)
		case seen[low]:
			say(path, "there is a column %s already", name)
		}
		for _, r := range reserved {
			if low == r {
				say(path, "%s is a column that etl adds: choose another name", name)
			}
		}
		seen[low] = true
	}
	for i, col := range c.Columns {
		path := fmt.Sprintf("columns[%d]", i)
		named(path+".name", col.Name)
		if _, err := col.arrow(); err != nil {
			say(path+".type", "%v", err)
		} else if _, err := col.parser(); err != nil {
			say(path+".format", "%v", err)
		}
	}
	seen = map[string]bool{}
	for i, s := range c.Select {
		path := fmt.Sprintf("select[%d]", i)
		named(path+".name", s.Name)
		if strings.TrimSpace(s.SQL) == "" {
			say(path+".sql", "expected a SQL expression")
		}
	}
}

func (f Format) delimiter() byte {
	switch f.Delimiter {
	case "":
		return ','
	case "tab":
		return '\t'
	}
	return f.Delimiter[0]
}

// quote is 0 where there is none.
func (f Format) quote() byte {
	switch f.Quote {
	case "":
		return '"'
	case "none":
		return 0
	}
	return f.Quote[0]
}

func (f Format) header() bool { return f.Header == nil || *f.Header }

func (f Format) nulls() []string {
	if f.Null == nil {
		return []string{""}
	}
	return f.Null
}

func (f Format) maxField() int {
	if f.MaxField == 0 {
		return 1 << 20
	}
	return int(f.MaxField)
}

const types = "string, int, bigint, double, boolean, date, timestamp or decimal(18,2)"

// arrow is the column's type in memory and in the table.
func (c Column) arrow() (arrow.DataType, error) {
	switch c.Type {
	case "string":
		return arrow.BinaryTypes.String, nil
	case "int":
		return arrow.PrimitiveTypes.Int32, nil
	case "bigint":
		return arrow.PrimitiveTypes.Int64, nil
	case "double":
		return arrow.PrimitiveTypes.Float64, nil
	case "boolean":
		return arrow.FixedWidthTypes.Boolean, nil
	case "date":
		return arrow.FixedWidthTypes.Date32, nil
	case "timestamp":
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	}
	if m := decimal.FindStringSubmatch(c.Type); m != nil {
		p, _ := strconv.Atoi(m[1])
		s, _ := strconv.Atoi(m[2])
		if p >= 1 && p <= 38 && s <= p {
			return &arrow.Decimal128Type{Precision: int32(p), Scale: int32(s)}, nil
		}
	}
	return nil, fmt.Errorf("expected %s, got %q", types, c.Type)
}

// sql is the type's name for the engine.
func (c Column) sql() string {
	switch c.Type {
	case "string":
		return "VARCHAR"
	case "int":
		return "INTEGER"
	}
	return strings.ToUpper(c.Type)
}

// inFile is the column's name in the header.
func (c Column) inFile() string {
	if c.Source != "" {
		return c.Source
	}
	return c.Name
}
