/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/candidates.h"

#include <string.h>

static const char *const source_names[CANDIDATE_SOURCE_COUNT] = {
	[CANDIDATE_CONFIG] = "config",
	[CANDIDATE_MDNS] = "mdns",
	[CANDIDATE_DNS_SD] = "dns-sd",
	[CANDIDATE_GRASP] = "grasp",
	[CANDIDATE_CORE] = "core",
	[CANDIDATE_CLOUD] = "cloud",
};

void candidates_init(struct candidates *s, uint32_t (*draw)(uint32_t below))
{
	memset(s, 0, sizeof(*s));
	s->draw = draw;
}

struct candidate candidate_of(const struct uri *uri, enum candidate_source source)
{
	return (struct candidate){.uri = *uri, .source = source};
}

const char *candidate_source_name(enum candidate_source source)
{
	return source_names[source];
}

static bool is_found(const struct candidate *c)
{
	return c->source != CANDIDATE_CONFIG && c->source != CANDIDATE_CLOUD;
}

/* ---- Adding --------------------------------------------------------------------------------- */

/* The same place may be configured and found; then it is there twice, each with its own rank. */
static struct candidate *same_place(struct candidates *s, const struct candidate *c)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_found(&s->all[i]) == is_found(c) &&
			(is_found(c) || s->all[i].source == c->source) &&
			uri_same_origin(&s->all[i].uri, &c->uri))
			return &s->all[i];
	return NULL;
}

static bool is_same_sender(const struct candidate *a, const struct candidate *b)
{
	return a->source == b->source && memcmp(a->sender, b->sender, sizeof(a->sender)) == 0;
}

static unsigned failures_of_sender(struct candidates *s, const struct candidate *c);

/* Who speaks of his own place is believed instead of who spoke of it before, and answers for
 * nobody's failures but his own. */
static void take_over(struct candidates *s, struct candidate *known, const struct candidate *c)
{
	if (!known->was_tried)
		known->failures = failures_of_sender(s, c);
	memcpy(known->sender, c->sender, sizeof(known->sender));
	known->source = c->source;
	known->own = true;
}

/* Whoever said it first is believed in what else there is to say; nobody speaks for another. */
static void renew(struct candidates *s, struct candidate *known, const struct candidate *c)
{
	if (c->own && !known->own)
		take_over(s, known, c);
	if (!is_same_sender(known, c))
		return;
	known->proxy = c->proxy;
	known->priority = c->priority;
	known->weight = c->weight;
	known->preference = c->preference;
	memcpy(known->variation, c->variation, sizeof(known->variation));
}

/* Found ones: of all, of a source, of a sender. */
struct tally {
	size_t all, of_source[CANDIDATE_SOURCE_COUNT], of_sender;
};

static struct tally count_found(const struct candidates *s, const struct candidate *newcomer)
{
	struct tally t = {.all = 0};

	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = &s->all[i];

		if (!is_found(c))
			continue;
		t.all++;
		t.of_source[c->source]++;
		t.of_sender += c->source == newcomer->source &&
			       memcmp(c->sender, newcomer->sender, sizeof(c->sender)) == 0;
	}
	return t;
}

/* The source that has more than its share gives way, the newcomer's own when in doubt. */
static enum candidate_source widest(const struct tally *t, enum candidate_source own)
{
	enum candidate_source most = own;

	for (int i = 0; i < CANDIDATE_SOURCE_COUNT; i++)
		if (t->of_source[i] > t->of_source[most] + (most == own ? 1 : 0))
			most = (enum candidate_source)i;
	return most;
}

/* The one that failed most often, and more often than `above`; of several by chance. */
static struct candidate *worst(
	struct candidates *s, enum candidate_source source, const uint8_t *sender, unsigned above)
{
	struct candidate *found = NULL;
	uint32_t equals = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct candidate *c = &s->all[i];

		if (c->source != source || c->failures <= above || c->held ||
			(sender && memcmp(c->sender, sender, sizeof(c->sender)) != 0))
			continue;
		if (found && c->failures < found->failures)
			continue;
		equals = found && c->failures == found->failures ? equals + 1 : 1;
		if (equals == 1 || s->draw(equals) == 0)
			found = c;
	}
	return found;
}

static struct candidate_memory *recall(struct candidates *s, const struct candidate *c)
{
	for (size_t i = 0; i < CANDIDATES_GONE_MAX; i++)
		if (s->gone[i].failures &&
			memcmp(s->gone[i].sender, c->sender, sizeof(c->sender)) == 0)
			return &s->gone[i];
	return NULL;
}

/* By chance in place of another when there are too many. */
static void remember(struct candidates *s, const struct candidate *c)
{
	struct candidate_memory *m = recall(s, c);

	for (size_t i = 0; !m && i < CANDIDATES_GONE_MAX; i++)
		if (!s->gone[i].failures)
			m = &s->gone[i];
	if (!m)
		m = &s->gone[s->draw(CANDIDATES_GONE_MAX)];
	memcpy(m->sender, c->sender, sizeof(m->sender));
	m->failures = c->failures;
}

/* The most of any of his places, of those that were given away, too. */
static unsigned failures_of_sender(struct candidates *s, const struct candidate *c)
{
	const struct candidate_memory *gone = recall(s, c);
	unsigned most = gone && gone->failures > c->failures ? gone->failures : c->failures;

	for (size_t i = 0; i < s->count; i++)
		if (is_found(&s->all[i]) && s->all[i].failures > most &&
			memcmp(s->all[i].sender, c->sender, sizeof(c->sender)) == 0)
			most = s->all[i].failures;
	return most;
}

static struct candidate *give_away(struct candidates *s, struct candidate *place)
{
	if (place)
		remember(s, place);
	return place;
}

static struct candidate *room_for_found(struct candidates *s, const struct candidate *c)
{
	struct tally t = count_found(s, c);

	if (t.of_sender >= CANDIDATES_PER_SENDER)
		return give_away(s, worst(s, c->source, c->sender, 0));
	if (t.of_source[c->source] >= CANDIDATES_PER_SOURCE)
		return give_away(s, worst(s, c->source, NULL, c->failures));
	if (t.all >= CANDIDATES_FOUND_MAX)
		return give_away(s, worst(s, widest(&t, c->source), NULL, c->failures));
	return &s->all[s->count++];
}

static struct candidate *room_for(struct candidates *s, const struct candidate *c)
{
	if (is_found(c))
		return room_for_found(s, c);
	return s->count < CANDIDATES_MAX ? &s->all[s->count++] : NULL;
}

bool candidates_add(struct candidates *s, const struct candidate *c)
{
	struct candidate *to = same_place(s, c), newcomer = *c;

	if (to) {
		renew(s, to, c);
		return false;
	}
	if (is_found(c))
		newcomer.failures = failures_of_sender(s, c);
	to = room_for(s, &newcomer);
	if (to)
		*to = newcomer;
	else if (newcomer.failures == 0)
		s->turned_away = true;
	return to != NULL;
}

static void drop_configured(struct candidates *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->all[i].source != CANDIDATE_CONFIG)
			s->all[kept++] = s->all[i];
	s->count = kept;
}

void candidates_set_configured(struct candidates *s, const struct uri *uris, size_t count)
{
	drop_configured(s);
	for (size_t i = 0; i < count; i++) {
		struct candidate c = candidate_of(&uris[i], CANDIDATE_CONFIG);

		c.priority = (unsigned)i;
		candidates_add(s, &c);
	}
}

/* ---- Ranking -------------------------------------------------------------------------------- */

/* Only what can be felt makes a difference: equal ones are to share the load. */
static unsigned latency_class(const struct candidate *c)
{
	unsigned class = 0;

	for (int64_t ms = LATENCY_EQUAL_MS; ms < c->latency_ms && class < 16; ms *= 2)
		class ++;
	return class;
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static unsigned tier(const struct candidate *c)
{
	return c->source == CANDIDATE_CONFIG ? 0 : c->source == CANDIDATE_CLOUD ? 2 : 1;
}

/* Below 0: a is tried before b. 0: chance decides. */
static int compare(const struct candidate *a, const struct candidate *b)
{
	int by_tier = order(tier(a), tier(b));
	int by_failures = a->source == CANDIDATE_CONFIG ? 0 : order(a->failures, b->failures);
	const int by[] = {by_tier, by_failures, order(a->preference, b->preference),
		order(a->priority, b->priority), order(latency_class(a), latency_class(b))};

	for (size_t i = 0; i < sizeof(by) / sizeof(*by); i++)
		if (by[i])
			return by[i];
	return 0;
}

/* Of the best ones, one by chance, as their weights say (RFC 2782); weight 0 has a small one. */
static size_t pick(struct candidates *s, struct candidate *const *from, size_t count)
{
	size_t best = 0;
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		int against = compare(from[i], from[best]);

		if (against < 0)
			sum = 0;
		if (against > 0)
			continue;
		sum += from[i]->weight + 1;
		if (s->draw(sum) < from[i]->weight + 1)
			best = i;
	}
	return best;
}

static bool may_be_tried(const struct candidate *c, int64_t now_ms)
{
	return !c->tried && !c->held && c->penalised_until_ms <= now_ms;
}

size_t candidates_rank(struct candidates *s, int64_t now_ms, struct candidate *out[CANDIDATES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++)
		if (may_be_tried(&s->all[i], now_ms))
			out[count++] = &s->all[i];
	for (size_t i = 0; i + 1 < count; i++) {
		size_t best = i + pick(s, out + i, count - i);
		struct candidate *first = out[best];

		memmove(out + i + 1, out + i, (best - i) * sizeof(*out));
		out[i] = first;
	}
	return count;
}

int64_t candidates_next_ms(const struct candidates *s, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < s->count; i++)
		if (s->all[i].penalised_until_ms > now_ms && s->all[i].penalised_until_ms < next_ms)
			next_ms = s->all[i].penalised_until_ms;
	return next_ms;
}

/* ---- What happened -------------------------------------------------------------------------- */

void candidates_begin_round(struct candidates *s)
{
	for (size_t i = 0; i < s->count; i++)
		s->all[i].tried = false;
}

void candidate_worked(struct candidate *c)
{
	c->failures = 0;
	c->tried = false;
	c->penalised_until_ms = 0;
}

void candidate_failed(struct candidate *c, int64_t until_ms)
{
	c->tried = c->was_tried = true;
	c->failures++;
	c->penalised_until_ms = until_ms;
}

void candidates_forgive(struct candidates *s)
{
	for (size_t i = 0; i < s->count; i++)
		candidate_worked(&s->all[i]);
	memset(s->gone, 0, sizeof(s->gone));
}
