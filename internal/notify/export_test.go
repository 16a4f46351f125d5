package notify

import (
	"context"
	"database/sql"
	"fmt"
)

// Room lets the outbox grow to so many pages and no further: beyond, SQLite says what it says on a full disk. It keeps the pages that there are.
func (s *Service) Room(ctx context.Context, pages int) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		return err
	})
}
