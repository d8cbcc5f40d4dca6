package auth

import (
	_ "embed"
	"strings"
)

// commonWords is a list of words that people make passwords of, and guessers begin with.
//
//go:embed common.txt
var commonWords string

// typed are ways over a keyboard, and the alphabet: whoever guesses goes them too, from either end.
const typed = "1234567890-= qwertyuiop[] qwertzuiop azertyuiop asdfghjkl;' zxcvbnm,./ yxcvbnm !@#$%^&*() " +
	"1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik, qazwsxedcrfvtgbyhnujm 1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8o9p0 abcdefghijklmnopqrstuvwxyz"

const (
	minPieces = 8 // that a password has at least; one of the list counts as two
	ownLeast  = 3 // characters of a part of an e-mail address that counts as a word
)

// leet are letters that stand for others.
var leet = strings.NewReplacer("@", "a", "4", "a", "3", "e", "0", "o", "1", "i", "!", "i", "$", "s", "5", "s", "7", "t")

// pieces returns of how few pieces a password can be put together: words of the list and parts of the owner's e-mail address
// (two each), ways over a keyboard and years (two), what repeats what stands before it (one), and single bytes.
func pieces(password, email string) int {
	words := strings.Fields(commonWords)
	email = strings.ToLower(email)
	words = append(words, email)
	for _, part := range strings.FieldsFunc(email, func(r rune) bool { return strings.ContainsRune("@.-_+", r) }) {
		if len(part) >= ownLeast {
			words = append(words, part)
		}
	}
	ways := typed + " " + reversed(typed)
	text := strings.ToLower(password)
	return min(fewest(text, words, ways), fewest(leet.Replace(text), words, ways))
}

func reversed(text string) string {
	var b strings.Builder
	for i := len(text) - 1; i >= 0; i-- {
		b.WriteByte(text[i])
	}
	return b.String()
}

// fewest is pieces for a text in lower case: what[n] is the answer for its first n bytes.
func fewest(text string, words []string, ways string) int {
	what := make([]int, len(text)+1)
	same := make([]int, len(text)+1) // same[p]: how many bytes before n are those p before them
	for n := 1; n <= len(text); n++ {
		what[n] = what[n-1] + 1
		for _, word := range words {
			if word != "" && strings.HasSuffix(text[:n], word) {
				what[n] = min(what[n], what[n-len(word)]+2)
			}
		}
		for from := n - 3; from >= 0 && !strings.Contains(text[from:n], " ") && strings.Contains(ways, text[from:n]); from-- {
			what[n] = min(what[n], what[from]+2)
		}
		if n >= 4 && year(text[n-4:n]) {
			what[n] = min(what[n], what[n-4]+2)
		}
		for p := 1; p < n; p++ {
			if text[n-1] != text[n-1-p] {
				same[p] = 0
				continue
			}
			same[p]++
			if same[p] >= max(p, 2) {
				what[n] = min(what[n], what[n-same[p]]+1)
			}
		}
	}
	return what[len(text)]
}

// year says whether four bytes are a year that somebody remembers.
func year(text string) bool {
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	return (strings.HasPrefix(text, "19") || strings.HasPrefix(text, "20")) && digits(text)
}
