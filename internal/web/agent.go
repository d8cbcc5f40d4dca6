package web

import "strings"

// browsers and systems are how programs name themselves, in the order in which they are looked for: most say that they are
// several others too.
var (
	browsers = []struct{ sign, word string }{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"HeadlessChrome/", "Chrome"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	}
	systems = []struct{ sign, word string }{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	}
)

// device says in words what a session was begun with, from the name that a browser gives itself.
func device(agent string) string {
	word := ""
	for _, b := range browsers {
		if strings.Contains(agent, b.sign) {
			word = b.word
			break
		}
	}
	for _, s := range systems {
		if !strings.Contains(agent, s.sign) {
			continue
		}
		if word == "" {
			return s.word
		}
		return word + " on " + s.word
	}
	return firstOf(word, "something that does not say what it is")
}
