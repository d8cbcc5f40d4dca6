package auth

import "testing"

// BenchmarkHash is what one sign-in costs.
func BenchmarkHash(b *testing.B) {
	h := newHasher()
	for b.Loop() {
		if _, err := h.make(b.Context(), "correct horse battery"); err != nil {
			b.Fatal(err)
		}
	}
}
