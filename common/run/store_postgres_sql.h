/* SPDX-License-Identifier: Apache-2.0 */
/* SQL that every store on PostgreSQL begins with: the functions that SQLite, or our engine for it,
 * has and PostgreSQL has not, so that a statement is one text for both. First in the first
 * migration of struct store_schema.postgres.
 *
 * Columns are BIGINT, BYTEA and STORE_PG_TEXT: text in the order of its octets, as in SQLite.
 *
 * json_each is for arrays; `atom` is an element as text. The engine itself makes chain_hash. */
#ifndef RUN_STORE_POSTGRES_SQL_H
#define RUN_STORE_POSTGRES_SQL_H

#define STORE_PG_TEXT "TEXT COLLATE \"C\""

/* What a trigger that refuses says is a broken constraint, as with SQLite. */
#define STORE_PG_REFUSE(name, text)                                                                \
	"CREATE FUNCTION " name "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "                 \
	"RAISE EXCEPTION '" text "' USING ERRCODE = 'integrity_constraint_violation'; END $$;"

#define STORE_PG_FUNCTIONS                                                                         \
	"CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE "            \
	"AS $$ SELECT upper(encode($1, 'hex')) $$;"                                                \
	"CREATE FUNCTION instr(text, text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE "   \
	"AS $$ SELECT CAST(strpos($1, $2) AS bigint) $$;"                                          \
	"CREATE FUNCTION max(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE " \
	"AS $$ SELECT CASE WHEN $1 < $2 THEN $2 WHEN $2 IS NOT NULL THEN $1 END $$;"               \
	"CREATE FUNCTION min(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE " \
	"AS $$ SELECT CASE WHEN $1 > $2 THEN $2 WHEN $2 IS NOT NULL THEN $1 END $$;"               \
	"CREATE FUNCTION json_each(text) RETURNS TABLE (key bigint, value jsonb, atom text) "      \
	"LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT place - 1, element, element #>> '{}' "  \
	"FROM jsonb_array_elements(CAST($1 AS jsonb)) WITH ORDINALITY AS each (element, place) "   \
	"$$;" /* RFC 7396; members keep their order, as with SQLite */                             \
	"CREATE FUNCTION json_patch(target text, patch text) RETURNS text "                        \
	"LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$ BEGIN "                                    \
	"IF target IS NULL OR patch IS NULL THEN RETURN NULL; END IF; "                            \
	"IF json_typeof(CAST(patch AS json)) <> 'object' THEN RETURN patch; END IF; "              \
	"IF json_typeof(CAST(target AS json)) <> 'object' THEN target = '{}'; END IF; "            \
	"RETURN (SELECT '{' || coalesce(string_agg(to_json(key) || ':' || text, ',' "              \
	"ORDER BY of_patch, place), '') || '}' FROM "                                              \
	"(SELECT key, t.place, false AS of_patch, CASE WHEN p.value IS NULL THEN "                 \
	"CAST(t.value AS text) ELSE json_patch(CAST(t.value AS text), CAST(p.value AS text)) "     \
	"END AS text FROM json_each(CAST(target AS json)) WITH ORDINALITY AS t (key, value, "      \
	"place) "                                                                                  \
	"LEFT JOIN json_each(CAST(patch AS json)) AS p USING (key) "                               \
	"WHERE p.value IS NULL OR json_typeof(p.value) <> 'null' UNION ALL "                       \
	"SELECT p.key, p.place, true, json_patch('null', CAST(p.value AS text)) "                  \
	"FROM json_each(CAST(patch AS json)) WITH ORDINALITY AS p (key, value, place) "            \
	"WHERE json_typeof(p.value) <> 'null' AND NOT EXISTS (SELECT 1 FROM "                      \
	"json_each(CAST(target AS json)) AS t WHERE t.key = p.key)) AS merged); END $$;"

#endif
