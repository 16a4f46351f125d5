package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const orderSchema = `{"type":"record","name":"Order","fields":[
 {"name":"order_id","type":"string"},{"name":"customer_id","type":"long"},{"name":"created_at","type":{"type":"long","logicalType":"timestamp-micros"}},
 {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID","SENT"]}},
 {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
 {"name":"note","type":["null","string"]},{"name":"payment","type":["null","string","long"]},
 {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"sku","type":"string"},{"name":"quantity","type":"int"}]}}},
 {"name":"flag","type":"boolean"}]}`

// What is wrong with the content of a profile has its place in the file, whether the profile alone or the schema tells.
func TestContentMistakesHaveTheirPlace(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"order.avsc": orderSchema, "sizes.txt": "300\n20x\n", "none.txt": "# nothing\n", "int.avsc": `{"type":"record","name":"I","fields":[{"name":"i","type":"int"}]}`,
		"broken.avsc": `{"type":"record"`, "endless.avsc": `{"type":"record","name":"E","fields":[{"name":"e","type":"E"}]}`, "fixed.avsc": `{"type":"record","name":"F","fields":[{"name":"only","type":"string"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	value := func(fields string) string {
		return small + "value: {schema: {file: order.avsc}, fields: {" + fields + "}}\n"
	}
	order := func(more string) string { return small + "value: {schema: {file: order.avsc}}\n" + more + "\n" }
	mix := func(parts string) string {
		return strings.Replace(small, "topic: {name: orders}\n", "mix:\n"+parts, 1)
	}
	cases := map[string]struct{ text, want string }{
		"no such schema file":         {small + "value: {schema: {file: gone.avsc}}\n", "p.yaml:7:24: value.schema.file: there is no file gone.avsc; a path counts from the folder of the profile"},
		"a schema that is no JSON":    {small + "value: {schema: {file: broken.avsc}}\n", "p.yaml:7:18: value.schema: "},
		"a type without an end":       {small + "value: {schema: {file: endless.avsc}}\n", "p.yaml:7:18: value.schema: type E contains itself without an end"},
		"two schemas":                 {small + "value: {builtin: bank-transaction, schema: {file: order.avsc}}\n", "p.yaml:7:9: value: want one of builtin, schema.file and schema.subject"},
		"a builtin of another name":   {small + "value: {builtin: shop}\n", `p.yaml:7:18: builtin: "shop" is none of bank-transaction`},
		"a version without subject":   {small + "value: {schema: {file: order.avsc, version: 3}}\n", "p.yaml:7:45: version: belongs to a subject"},
		"a version that is none":      {small + "value: {schema: {subject: o-value, version: newest}}\n", `p.yaml:7:45: version: want latest or a number, got "newest"`},
		"a depth below 0":             {small + "value: {schema: {file: order.avsc}, depth: -1}\n", "p.yaml:7:44: depth: want 1 to 20"},
		"a field that is not there":   {value("order: x"), "p.yaml:7:53: value.fields.order: the schema has no such field"},
		"an item that is not there":   {value(`"lines[].qty": 1`), "p.yaml:7:61: value.fields.lines[].qty: the schema has no such field"},
		"two generators":              {value("amount: {uniform: {min: 1, max: 2}, fake: email}"), "amount: one generator only; got uniform and fake"},
		"an unknown generator":        {value("amount: {gaussian: 1}"), `unknown key "gaussian"`},
		"an unknown fake":             {value("note: {fake: emial}"), `note: fake: there is no "emial"; did you mean email?`},
		"a fake for a number":         {value("customer_id: {fake: email}"), "p.yaml:7:60: value.fields.customer_id: fake cannot make a long"},
		"a number for a flag":         {value("flag: {uniform: {min: 0, max: 1}}"), "p.yaml:7:53: value.fields.flag: uniform cannot make a boolean"},
		"a symbol that is not there":  {value("state: {weights: {NEW: 1, PAYD: 2}}"), "p.yaml:7:54: value.fields.state: weights: State has no symbol PAYD; did you mean PAID? (it has NEW, PAID, SENT)"},
		"weights of nothing":          {value("state: {weights: {NEW: 0}}"), "state: weights: want numbers from 0 on, one above 0"},
		"a constant of wrong type":    {value("customer_id: many"), `p.yaml:7:59: value.fields.customer_id: "many" is no long`},
		"a range upside down":         {value("customer_id: {uniform: {min: 9, max: 2}}"), "uniform: want numbers, min not above max; got 9 and 2"},
		"a time that is none":         {value("created_at: {uniform: {min: 2026-01-40, max: 2026-02-01}}"), "uniform: want numbers or times such as 2026-01-31"},
		"a lognormal upside down":     {value("amount: {lognormal: {median: 30, p99: 20}}"), "amount: lognormal: want 0 < median < p99"},
		"a null that cannot be":       {value("amount: {null: 10%}"), "value.fields.amount: null: the field is a decimal (bytes), it cannot be null"},
		"branches of no union":        {value("amount: {branches: {null: 1}}"), "value.fields.amount: branches: the field is a decimal (bytes), no union"},
		"a branch that is not there":  {value("payment: {branches: {int: 1}}"), "value.fields.payment: branches: the union has no int; it has null, string, long"},
		"a length of a number":        {value("customer_id: {length: {max: 3}}"), "value.fields.customer_id: length: a long has none"},
		"a broken pattern":            {value(`note: {pattern: "[A-"}`), "value.fields.note: pattern: "},
		"a pool that is not there":    {value("customer_id: {pool: customers}"), `pool: there is no pool "customers" under pools`},
		"an empty pool":               {order("pools: {customers: {entities: 0}}"), "pool customers: want 1 or more entities"},
		"a key that is not there":     {order("key: {field: id}"), "p.yaml:8:14: key.field: the schema has no field id"},
		"a key of a list":             {order("key: {field: lines}"), "p.yaml:8:14: key.field: field lines is a array, which cannot serve here"},
		"an exponent without zipf":    {order("key: {field: order_id, exponent: 2}"), "p.yaml:8:7: key: exponent: belongs to distribution: zipf"},
		"a hot share above all":       {order("key: {field: order_id, hot: {share: 120%}}"), `"120%" is no percentage`},
		"no key, but a field":         {order("key: {field: order_id, distribution: none}"), "p.yaml:8:38: distribution: none means messages without a key"},
		"a proof without identity":    {order("verify: {identity: none}\nthresholds: [{metric: lost, max: 0}]"), "p.yaml:9:23: metric: lost cannot be proven of messages that carry no identity"},
		"read back without identity":  {order("verify: {identity: none, consumer: {group: g}}"), "consumer: cannot know messages again that carry no identity"},
		"a key from nowhere":          {order("key: {from: customers}"), "p.yaml:8:13: from: there is no mix, so no other part"},
		"a size below the smallest":   {order("size: {distribution: constant, bytes: 20}"), "p.yaml:8:8: size: 20 B cannot be reached with this schema: its smallest value that can be promised has "},
		"a size between two":          {small + "value: {schema: {file: fixed.avsc}}\nsize: {distribution: constant, bytes: 70}\n", "p.yaml:8:8: size: 70 B cannot be reached with this schema: the length of only takes a byte more just there; 69 B and 71 B can"},
		"a size that nothing fills":   {small + "value: {schema: {file: int.avsc}}\nsize: {distribution: constant, bytes: 70}\n", "p.yaml:8:8: size.pad: the schema has no string, bytes or list that is free to grow to a size"},
		"a pad that is a number":      {order("size: {distribution: constant, bytes: 700, pad: customer_id}"), "p.yaml:8:49: size.pad: field customer_id is a long, which cannot serve here"},
		"a pareto without bounds":     {order("size: {distribution: pareto}"), "p.yaml:8:8: size: pareto wants min < max"},
		"a bucket of two kinds":       {order("size: {distribution: buckets, buckets: [{bytes: 300, max: 400, weight: 1}]}"), "p.yaml:8:8: size: a bucket wants a weight, and bytes or min <= max"},
		"learned from nothing":        {order("size: {distribution: learned}"), "p.yaml:8:8: size: learned wants a file"},
		"learned from no numbers":     {order("size: {distribution: learned, file: sizes.txt}"), `p.yaml:8:37: size.file: sizes.txt:2: want a size in bytes, got "20x"`},
		"learned from an empty one":   {order("size: {distribution: learned, file: none.txt}"), "p.yaml:8:37: size.file: none.txt has no sizes"},
		"a header that is ours":       {order("headers: {weir: x}"), `headers: "weir" is not free`},
		"a time of a text":            {order("event_time: {field: order_id}"), "p.yaml:8:21: event_time.field: field order_id is a string, which cannot serve here"},
		"late by nothing":             {order("event_time: {field: created_at, late: {share: 2%}}"), "late.by: want one of exponential, uniform, constant"},
		"late without a field":        {order("event_time: {late: {share: 2%, by: {constant: 1h}}}"), "p.yaml:8:14: event_time: want a field, a timestamp of the schema"},
		"a time twice":                {value("created_at: {uniform: {min: 1, max: 2}}") + "event_time: {field: created_at}\n", "value.fields.created_at: event_time gives this field its value"},
		"too many duplicates":         {order("faults: {duplicate: 80%}"), "p.yaml:8:10: faults.duplicate: want 0% to 50%"},
		"an unknown poison":           {order("faults: {poison: {share: 1%, kinds: [bad_magik]}}"), `faults.poison.kinds[0]: there is no "bad_magik"; did you mean bad_magic?`},
		"poison without a share":      {order("faults: {poison: {kinds: [truncated]}}"), "faults.poison: want a share above 0%"},
		"oversize that nothing fills": {small + "value: {schema: {file: int.avsc}}\nfaults: {poison: {share: 1%, kinds: [oversize]}}\n", "p.yaml:8:37: faults.poison.kinds: oversize: the schema has no string"},
		"a mix beside a topic":        {small + "mix: [{name: a, weight: 1, topic: {name: a}}]\n", "mix: topic, value, key and size belong to its parts, not beside it"},
		"a part without a weight":     {mix("  - {name: a, topic: {name: a}}\n"), `p.yaml:7:6: missing key "weight"`},
		"a part without a topic":      {mix("  - {name: a, weight: 1}\n"), `topic: want a name, as topic: {name: orders}`},
		"weights that are 0":          {mix("  - {name: a, weight: 0, topic: {name: a}}\n"), "mix: want one weight above 0"},
		"two parts of one name":       {mix("  - {name: a, weight: 1, topic: {name: a}}\n  - {name: a, weight: 1, topic: {name: b}}\n"), "p.yaml:8:12: name: a is there twice"},
		"two parts of one topic":      {mix("  - {name: a, weight: 1, topic: {name: a}}\n  - {name: b, weight: 1, topic: {name: a}}\n"), "p.yaml:8:40: name: another part sends to topic a as well"},
		"keys from a stranger":        {mix("  - {name: a, weight: 1, topic: {name: a}, key: {from: z}}\n"), `p.yaml:7:56: from: the mix has no other part "z"`},
		"keys from an open set":       {mix("  - {name: a, weight: 1, topic: {name: a}, value: {schema: {file: order.avsc}}, key: {field: order_id}}\n  - {name: b, weight: 1, topic: {name: b}, key: {from: a}}\n"), "p.yaml:8:56: mix[1].key.from: that stream's key has no cardinality"},
		"keys of another type":        {mix("  - {name: a, weight: 1, topic: {name: a}, value: {schema: {file: order.avsc}}, key: {field: customer_id, cardinality: 9}}\n  - {name: b, weight: 1, topic: {name: b}, key: {from: a, field: account_id}}\n"), "p.yaml:8:56: mix[1].key.from: the key of that stream is of another type than account_id"},
	}
	if len(cases) < 30 {
		t.Errorf("only %d broken profiles", len(cases))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "p.yaml")
			p, err := Parse(file, []byte(c.text))
			if err == nil {
				if err = p.Check(); err != nil {
					err = p.Placed(err)
				}
			}
			got := ""
			if err != nil {
				got = strings.ReplaceAll(strings.ReplaceAll(err.Error(), dir+"/", ""), dir, "")
			}
			if !strings.Contains(got, c.want) || !strings.Contains(got, "p.yaml:") {
				t.Errorf("got  %v\nwant %s", got, c.want)
			}
		})
	}
}
