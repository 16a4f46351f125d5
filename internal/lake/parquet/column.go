package parquet

import (
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// column is one leaf of the schema: the page that grows, and the finished pages of the row group.
type column struct {
	values
	codec          compress.Codec
	o              *Options
	maxDef, maxRep int

	rep, def []byte   // levels of the page
	plainly  []byte   // values of the page, without a dictionary
	numbers  []uint32 // the same with one
	rows     int
	nulls    int

	decided, numbered bool // whether the row group's column has a dictionary
	out               []byte
	pages             []page
	missing           int64 // nulls of the row group
}

// page is a finished one: out[from:to], with the levels first.
type page struct {
	from, to                  int
	values, nulls, rows       int32
	repBytes, defBytes, plain int32 // plain: length before compression, with the levels
	encoding                  pq.Encoding
}

func (c *column) reset() {
	c.values.reset()
	c.decided, c.numbered, c.missing = false, false, 0
	c.out, c.pages = c.out[:0], c.pages[:0]
}

// add takes the places of some rows.
func (c *column) add(l leaf, rows int) error {
	at, from, n := l.dense()
	if !c.decided && n > 0 {
		c.decided = true
		of := min(n, sampled)
		c.numbered = pays(c.differ(l.values, at, from, of), of)
	}
	if c.maxRep > 0 {
		c.rep = append(c.rep, l.rep...)
	}
	if c.maxDef > 0 {
		if l.def != nil {
			c.def = append(c.def, l.def...)
		} else {
			c.def = appendTimes(c.def, l.level, l.n)
		}
	}
	if c.numbered {
		c.numbers = c.number(c.numbers, l.values, at, from, n)
	} else {
		c.plainly = c.plain(c.plainly, l.values, at, from, n)
	}
	c.rows, c.nulls = c.rows+rows, c.nulls+l.n-n
	full := len(c.plainly) >= c.o.PageBytes || 4*len(c.numbers) >= c.o.PageBytes || c.rows >= c.o.PageRows
	if c.numbered && !full {
		dict, _ := c.dictionary()
		full = len(dict) > c.o.DictionaryBytes // numbers are small, however large the values are
	}
	if full {
		return c.endPage()
	}
	return nil
}

func appendTimes(b []byte, v byte, n int) []byte {
	for range n {
		b = append(b, v)
	}
	return b
}

// endPage compresses what has come together. A dictionary that has become too large gets no further values.
func (c *column) endPage() error {
	if c.rows == 0 {
		return nil
	}
	values := len(c.numbers)
	if c.maxDef > 0 {
		values = len(c.def)
	}
	p := page{from: len(c.out), values: int32(values), nulls: int32(c.nulls), rows: int32(c.rows), encoding: pq.Encodings.Plain}
	if c.maxDef == 0 && !c.numbered {
		p.values = int32(c.rows)
	}
	if c.maxRep > 0 {
		c.out = appendHybrid(c.out, c.rep, levelWidth(c.maxRep))
	}
	p.repBytes = int32(len(c.out) - p.from)
	if c.maxDef > 0 {
		c.out = appendHybrid(c.out, c.def, levelWidth(c.maxDef))
	}
	p.defBytes = int32(len(c.out)-p.from) - p.repBytes
	if c.numbered {
		p.encoding = pq.Encodings.RLEDict
		dict, entries := c.dictionary()
		width := widthOf(entries)
		c.plainly = appendHybrid(append(c.plainly[:0], byte(width)), c.numbers, width)
		c.numbered = len(dict) <= c.o.DictionaryBytes
	}
	p.plain = int32(len(c.plainly)) + p.repBytes + p.defBytes
	c.compress()
	p.to = len(c.out)
	c.pages = append(c.pages, p)
	c.missing += int64(c.nulls)
	c.rep, c.def, c.plainly, c.numbers, c.rows, c.nulls = c.rep[:0], c.def[:0], c.plainly[:0], c.numbers[:0], 0, 0
	return nil
}

// compress appends the page's values to out.
func (c *column) compress() {
	bound := int(c.codec.CompressBound(int64(max(1, len(c.plainly)))))
	if cap(c.out)-len(c.out) < bound {
		grown := make([]byte, len(c.out), cap(c.out)+max(bound, cap(c.out)/2))
		copy(grown, c.out)
		c.out = grown
	}
	free := c.out[len(c.out):len(c.out):cap(c.out)]
	c.out = append(c.out, c.codec.EncodeLevel(free, c.plainly, c.o.Level)...) // onto itself where the codec has used the space
}

func levelWidth(most int) int { return widthOf(most + 1) }

// endChunk writes the column's pages of the row group into the file.
func (c *column) endChunk(to file.PageWriter, meta *metadata.ColumnChunkMetaDataBuilder) error {
	dict, entries := c.dictionary()
	numbered, plain := false, false
	for _, p := range c.pages {
		numbered, plain = numbered || p.encoding == pq.Encodings.RLEDict, plain || p.encoding == pq.Encodings.Plain
	}
	if numbered {
		if _, err := to.WriteDictionaryPage(file.NewDictionaryPage(memory.NewBufferBytes(dict), int32(entries), pq.Encodings.Plain)); err != nil {
			return err
		}
	}
	for _, p := range c.pages {
		compressed := c.o.Compression != compress.Codecs.Uncompressed
		data := file.NewDataPageV2(memory.NewBufferBytes(c.out[p.from:p.to]), p.values, p.nulls, p.rows, p.encoding, p.defBytes, p.repBytes, p.plain, compressed)
		_, err := to.WriteDataPage(data)
		data.Release()
		if err != nil {
			return err
		}
	}
	var st metadata.EncodedStatistics
	st.SetNullCount(c.missing)
	if least, greatest := c.limits(); least != nil && greatest != nil {
		st.SetMin(least).SetMax(greatest)
	}
	meta.SetStats(st)
	c.reset()
	return to.Close(numbered, numbered && plain)
}
