// Package templates is the markup of the pages: one .templ for each, with its view struct above it. It formats what it is
// given and can ask nothing: it imports nothing internal.
package templates
