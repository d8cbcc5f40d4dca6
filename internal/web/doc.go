// Package web is the site for the team: one file a page, with the page's name in web/templates.
//
// A request goes: security headers, where it came from (unsafe methods), session, permission of the route, handler. A handler
// reads its input, makes one call of the domain, fills a view struct, and renders it to a buffer.
//
// A page marked live is asked for again by its own script when something changed (live.go), and answers without its frame then.
// What opens in a dialog (render.go) does so too, and is a page of its own where there are no scripts.
package web
