/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of one manufacturer, made ready for use. */
#include "registrar/manufacturer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/idevid.h"

#define MASA_URLS_LINE_MAX 8192			   /* eight of the longest that are in use */
#define PASSWORD_MAX	   1024			   /* octets of a password file */
#define ANCHORS_PEM_MAX	   (2 * CERT_LIST_PEM_MAX) /* our lines may be shorter than the file's */

static int compare_serials(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Cut the line at p to its serial; false when it is blank or a comment. */
static bool trim_line(char **line, char *end)
{
	while (*line < end && strchr(" \t\r", **line))
		(*line)++;
	while (end > *line && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return end > *line && **line != '#';
}

static size_t count_lines(const struct buf *text)
{
	size_t n = 1;

	assert(text->len == 0 || text->data);
	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

static bool load_serials(struct serial_list *l, const char *path, struct err *e)
{
	char *p, *stop;

	if (!file_read(path, &l->text, e))
		return false;
	if (memchr(l->text.data ? l->text.data : (const uint8_t *)"", '\0', l->text.len))
		return err_set(e, ERR_INPUT, "%s: not a text file", path);
	l->serials = mem_new(count_lines(&l->text) * sizeof(*l->serials), e);
	if (!l->serials)
		return false;
	p = (char *)l->text.data;
	stop = p ? p + l->text.len : p;
	while (p < stop) {
		char *end = memchr(p, '\n', (size_t)(stop - p));
		char *line = p;

		if (!end)
			end = stop;
		p = end + 1;
		if (trim_line(&line, end))
			l->serials[l->count++] = line;
	}
	qsort(l->serials, l->count, sizeof(*l->serials), compare_serials);
	return true;
}

static bool load_password(struct buf *out, const char *path, struct err *e)
{
	if (!file_read(path, out, e))
		return false;
	while (out->len > 0 && strchr("\r\n", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
	return out->len > 0 || err_set(e, ERR_INPUT, "%s: no password in it", path);
}

/* Several addresses of one MASA: words of one line. */
static bool load_urls(struct manufacturer *m, const char *urls, struct err *e)
{
	BUF_AUTO struct buf words = BUF_INIT(MASA_URLS_LINE_MAX);
	char *rest, *word;

	if (!buf_append_str(&words, urls, e))
		return false;
	rest = (char *)words.data;
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (!*word)
			continue;
		if (m->masa_count == MASA_URLS_MAX)
			return err_set(e, ERR_INPUT, "more than %d addresses", MASA_URLS_MAX);
		if (!idevid_masa_uri_parse(word, &m->masas[m->masa_count], e))
			return false;
		m->masa_count++;
	}
	return true;
}

static bool load_issuer(struct manufacturer *m, const char *path, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	if (!cert_list_load(path, &certs, e))
		return false;
	return idevid_issuer_of_ca(certs.items[0], &m->idevid_issuer, e) ||
	       err_prefix(e, "%s", path);
}

static bool load_all(struct manufacturer *m, const struct manufacturer_config *c, struct err *e)
{
	m->anchors = anchors_load(c->anchors, e);
	if (!m->anchors)
		return err_prefix(e, "anchors");
	m->masa_anchors = anchors_load(c->masa_anchors, e);
	if (!m->masa_anchors)
		return err_prefix(e, "masa_anchors");
	if (!cert_list_format_pem(anchors_certs(m->masa_anchors), &m->masa_anchors_pem, e))
		return err_prefix(e, "masa_anchors");
	if (c->serials && !load_serials(&m->listed, c->serials, e))
		return err_prefix(e, "serials");
	if (c->masa_url && !load_urls(m, c->masa_url, e))
		return err_prefix(e, "masa_url");
	if (c->idevid_issuer && !load_issuer(m, c->idevid_issuer, e))
		return err_prefix(e, "idevid_issuer");
	if (c->masa_password && !load_password(&m->masa_password, c->masa_password, e))
		return err_prefix(e, "masa_password");
	if (c->lookup_token && !load_password(&m->lookup_token, c->lookup_token, e))
		return err_prefix(e, "lookup_token");
	return true;
}

bool manufacturer_load(struct manufacturer *m, const struct manufacturer_config *c, struct err *e)
{
	memset(m, 0, sizeof(*m));
	m->config = c;
	buf_init(&m->listed.text, SERIALS_FILE_MAX);
	buf_init(&m->masa_password, PASSWORD_MAX);
	buf_init(&m->lookup_token, PASSWORD_MAX);
	buf_init(&m->idevid_issuer, IDEVID_ISSUER_MAX);
	buf_init(&m->masa_anchors_pem, ANCHORS_PEM_MAX);
	if (load_all(m, c, e))
		return true;
	manufacturer_clear(m);
	return err_prefix(e, "[manufacturer %s]", c->name);
}

void manufacturer_clear(struct manufacturer *m)
{
	anchors_unref(&m->anchors);
	anchors_unref(&m->masa_anchors);
	buf_clear(&m->masa_anchors_pem);
	buf_clear(&m->listed.text);
	free(m->listed.serials);
	buf_wipe(&m->masa_password);
	buf_wipe(&m->lookup_token);
	buf_clear(&m->idevid_issuer);
	memset(m, 0, sizeof(*m));
}

bool manufacturer_lists(const struct manufacturer *m, const char *serial)
{
	return m->listed.count > 0 && bsearch(&serial, m->listed.serials, m->listed.count,
					      sizeof(*m->listed.serials), compare_serials);
}
