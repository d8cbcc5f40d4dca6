package backup

import "time"

// SetPatience makes a destination count as gone earlier.
func (s *Store) SetPatience(d time.Duration) { s.patience = d }

// Parts are the tables of the installation that a backup has.
func Parts() (tables []string) {
	for _, p := range parts {
		tables = append(tables, p.table)
	}
	return tables
}
