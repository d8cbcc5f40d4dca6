// Package charts makes the specs of what pages draw: which lines, of which metric of which queue, over which time and in which
// steps. A chart is a query string, so that it can stand in an address, in a dashboard and in a colleague's browser.
package charts
