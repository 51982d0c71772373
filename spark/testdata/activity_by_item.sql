SET spark.sql.ansi.enabled=true;
SET spark.sql.caseSensitive=true;
SET spark.sql.codegen.hugeMethodLimit=8000;
SET spark.sql.objectHashAggregate.sortBased.fallbackThreshold=1000000;
SET spark.sql.parser.doubleQuotedIdentifiers=false;
SET spark.sql.parser.escapedStringLiterals=false;
SET spark.sql.session.timeZone=UTC;
SET spark.sql.streaming.statefulOperator.allowMultiple=false;
SET spark.sql.variable.substitute=false;
SET spark.sql.variant.allowDuplicateKeys=true;

-- events: from records
SELECT
  `d_id` AS id,
  timestamp_millis(`d_time`) AS event_time,
  `d_time` AS time,
  `d_type`,
  `d_item`
FROM (
  SELECT *,
    CASE
      WHEN value IS NULL THEN 'not a JSON object'
      WHEN octet_length(value) > 65536 THEN 'the record has more than 65536 bytes'
      WHEN text IS NULL THEN 'not valid UTF-8'
      WHEN plain IS NULL AND (odd IS NULL OR odd.`!` IS NOT NULL OR levels IS NULL) THEN 'not a JSON object'
      WHEN levels > 100 THEN 'more than 100 levels'
      WHEN `d_id` IS NULL THEN 'id: not a string'
      WHEN `d_id` = '' THEN 'id is missing'
      WHEN octet_length(`d_id`) > 256 THEN 'id has more than 256 bytes'
      WHEN `d_type` IS NULL THEN 'type: not a string'
      WHEN NOT `d_type` IN ('view', 'cart', 'favorite', 'order', 'pay', 'refund', 'cancel') THEN 'type is missing or none of view cart favorite order pay refund cancel'
      WHEN `d_time` IS NULL OR `d_time` < 946684800000L THEN 'time is missing, not a whole number or before the year 2000'
      WHEN `d_time` > 253402300799999L THEN 'time is after the year 9999'
      WHEN `d_item` IS NULL THEN 'item: not a string'
      WHEN char_length(`d_item`) > 128 THEN 'item has more than 128 characters'
      WHEN `d_time` > unix_millis(timestamp) + 300000L AND NOT coalesce(exists(headers, h -> h.key = 'feed' AND h.value IN (X'7265706C6179', X'64656D6F')), false) THEN 'time is more than 5m0s ahead of its record'
    END AS bad
  FROM (
    SELECT
      *,
      CASE WHEN plain IS NOT NULL THEN coalesce(plain.`id`, '') WHEN odd.`id` IS NULL OR is_variant_null(odd.`id`) THEN '' WHEN schema_of_variant(odd.`id`) = 'STRING' AND NOT contains(CAST(odd.`id` AS STRING), CAST(X'EFBFBFEFBFBEEFBFBF' AS STRING)) THEN CAST(odd.`id` AS STRING) END AS `d_id`,
      CASE WHEN plain IS NOT NULL THEN coalesce(plain.`type`, '') WHEN odd.`type` IS NULL OR is_variant_null(odd.`type`) THEN '' WHEN schema_of_variant(odd.`type`) = 'STRING' AND NOT contains(CAST(odd.`type` AS STRING), CAST(X'EFBFBFEFBFBEEFBFBF' AS STRING)) THEN CAST(odd.`type` AS STRING) END AS `d_type`,
      CASE WHEN plain IS NOT NULL THEN coalesce(plain.`item`, '') WHEN odd.`item` IS NULL OR is_variant_null(odd.`item`) THEN '' WHEN schema_of_variant(odd.`item`) = 'STRING' AND NOT contains(CAST(odd.`item` AS STRING), CAST(X'EFBFBFEFBFBEEFBFBF' AS STRING)) THEN CAST(odd.`item` AS STRING) END AS `d_item`,
      CASE WHEN plain IS NOT NULL THEN plain.`time`
        ELSE CASE WHEN `text_time` IS NULL THEN NULL WHEN `digits_time` = '' THEN 0L
        WHEN `power_time` IS NULL OR `text_time` LIKE '-%' OR `power_time` < 0 OR length(`digits_time`) + `power_time` > 15 THEN -1L
        ELSE CAST(rpad(`digits_time`, CAST(length(`digits_time`) + `power_time` + 0 AS INT), '0') AS BIGINT) END END AS `d_time`
    FROM (
      SELECT
        *,
        CASE WHEN `text_time` RLIKE r'\A-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+\z' THEN trim(BOTH '0' FROM regexp_replace(`text_time`, '[-.]|[eE].*', '')) END AS `digits_time`,
        CASE WHEN `text_time` RLIKE r'\A-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+\z' THEN CASE WHEN `text_time` RLIKE '[eE]' THEN CAST(try_cast(regexp_extract(`text_time`, '[eE](.*)', 1) AS INT) AS BIGINT) ELSE 0L END - length(regexp_extract(`text_time`, '[.]([0-9]*+)', 1))
          + length(regexp_replace(`text_time`, '[-.]|[eE].*', '')) - length(trim(TRAILING '0' FROM regexp_replace(`text_time`, '[-.]|[eE].*', ''))) END AS `power_time`
      FROM (
        SELECT
          *,
          CASE WHEN odd.`time` IS NOT NULL AND NOT is_variant_null(odd.`time`) THEN CAST(odd.`time` AS STRING) END AS `text_time`
        FROM (
          SELECT *
          FROM (
            SELECT *
            FROM (
              SELECT *,
                CASE WHEN octet_length(value) <= 65536 AND is_valid_utf8(value) THEN CAST(value AS STRING) END AS text
              FROM records
            )
            LATERAL VIEW inline(array(struct(
              CASE WHEN text RLIKE r'\A[ \t\r\n]*+\{[ \t\r\n]*+(?:"(?!(?:time)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))*+"|null)|"time"[ \t\r\n]*+:[ \t\r\n]*+(?:[1-9][0-9]{11,14}+)|"(?!(?:time|id|type|item)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:true|false|-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,18}+)?+))(?:[ \t\r\n]*+,[ \t\r\n]*+(?:"(?!(?:time)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))*+"|null)|"time"[ \t\r\n]*+:[ \t\r\n]*+(?:[1-9][0-9]{11,14}+)|"(?!(?:time|id|type|item)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:true|false|-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,18}+)?+)))*+[ \t\r\n]*+\}[ \t\r\n]*+\z'
                THEN from_json(text, '`id` STRING, `type` STRING, `item` STRING, `time` BIGINT', map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '!', 'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')) END
            ))) AS plain
          )
          LATERAL VIEW inline(array(struct(
            CASE WHEN plain IS NULL THEN from_json(regexp_replace(regexp_replace(regexp_replace(text, r'(?<!\\)("(?:time)"[ \t\r\n]*+:[ \t\r\n]*+)(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)(?=[ \t\r\n,}\]])', r'$1"$2"'), r'(?<=[:,\[ \t\r\n])(?=[-+.eE0-9]{900})-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?=[ \t\r\n,}\]])', r'0'), r'(?<!\\)((?:\\\\)*+)(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?<!(?<!\\)(?:\\\\){0,99}\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})', r'$1\\uFFFF\\uFFFE\\uFFFF'),
              '`id` VARIANT, `type` VARIANT, `item` VARIANT, `time` VARIANT, `!` STRING', map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '!', 'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')) END,
            CASE WHEN plain IS NULL THEN CASE WHEN text RLIKE r'(?s)\A[ \t\r\n]*+\{.*\}[ \t\r\n]*+\z' THEN
              aggregate(regexp_extract_all(regexp_replace(text, r'(?s)"(?:[^"\\]++|\\.)*+"|[^{}\[\]"]++', ''), '.', 0),
                named_struct('level', 0, 'most', 0, 'ends', 0),
                (a, c) -> named_struct('level', a.level + CASE WHEN c IN ('{', '[') THEN 1 WHEN c IN ('}', ']') THEN -1 END,
                  'most', greatest(a.most, a.level + IF(c IN ('{', '['), 1, 0)), 'ends', a.ends + IF(a.level = 1 AND c IN ('}', ']') OR a.level < 0, 1, 0)),
                a -> IF(a.level = 0 AND a.ends = 1, a.most, NULL)) END END
          ))) AS odd, levels
        )
      )
    )
  )
)
WHERE bad IS NULL

-- cells: from events, with a watermark 1h0m10s behind event_time, and of each id the first
SELECT cell, start, timestamp_millis(`end`) AS until, key, c1
FROM (
  SELECT
    *,
    time - pmod(time + 28800000L, 3600000L) AS `start_1h`,
    time - pmod(time + 28800000L, 3600000L) + 3600000L AS `end_1h`,
    true AS m0
  FROM events
)
LATERAL VIEW inline(array(
  struct(0 AS cell, `start_1h` AS start, `end_1h` AS `end`, array(`d_item`, `d_type`) AS key, m0 AS c1)
)) AS cell, start, `end`, key, c1
WHERE cell IS NOT NULL

-- results: from cells, whose column until has the metadata {"spark.watermarkDelayMs":3610000}
SELECT
  concat(element_at(array('["activity_by_item","1h","'), cell + 1), start, '"',
    IF(size(key) = 0, ']', concat(',', substring(to_json(key), 2)))) AS key,
  CASE
    WHEN cell < 1 THEN concat('{"statistic":"activity_by_item","window":"', '1h', '","start":', start, ',"end":', `end`, ',"key":', to_json(named_struct('item', key[0], 'type', key[1])), ',"values":{"events":', c1, '},"version":', version, ',"late":null,"generation":1580486399000,"repair":0,"engine":"spark"', '}')
  END AS value
FROM (
  SELECT
    cell,
    start,
    unix_millis(until) AS `end`,
    key,
    count(1) AS version,
    count_if(c1) AS c1
  FROM cells
  GROUP BY until, cell, start, key
)

-- letters: from records
SELECT
  concat('[', substring(to_json(array(topic)), 2, length(to_json(array(topic))) - 2), ',', partition, ',', offset, ']') AS key,
  substring(value, 1, 524288) AS value,
  concat(filter(coalesce(headers, array()), h -> h.key = 'feed'), array(struct('reason' AS key, CAST('bad' AS BINARY) AS value), struct('detail' AS key, CAST(bad AS BINARY) AS value), struct('engine' AS key, CAST('spark' AS BINARY) AS value), struct('generation' AS key, CAST('1580486399000' AS BINARY) AS value), struct('time' AS key, CAST(CAST(unix_millis(timestamp) AS STRING) AS BINARY) AS value)),
    IF(octet_length(value) > 524288, array(struct('bytes' AS key, CAST(CAST(octet_length(value) AS STRING) AS BINARY) AS value)), array())) AS headers
FROM (
  SELECT *,
    CASE
      WHEN value IS NULL THEN 'not a JSON object'
      WHEN octet_length(value) > 65536 THEN 'the record has more than 65536 bytes'
      WHEN text IS NULL THEN 'not valid UTF-8'
      WHEN plain IS NULL AND (odd IS NULL OR odd.`!` IS NOT NULL OR levels IS NULL) THEN 'not a JSON object'
      WHEN levels > 100 THEN 'more than 100 levels'
      WHEN `d_id` IS NULL THEN 'id: not a string'
      WHEN `d_id` = '' THEN 'id is missing'
      WHEN octet_length(`d_id`) > 256 THEN 'id has more than 256 bytes'
      WHEN `d_type` IS NULL THEN 'type: not a string'
      WHEN NOT `d_type` IN ('view', 'cart', 'favorite', 'order', 'pay', 'refund', 'cancel') THEN 'type is missing or none of view cart favorite order pay refund cancel'
      WHEN `d_time` IS NULL OR `d_time` < 946684800000L THEN 'time is missing, not a whole number or before the year 2000'
      WHEN `d_time` > 253402300799999L THEN 'time is after the year 9999'
      WHEN `d_item` IS NULL THEN 'item: not a string'
      WHEN char_length(`d_item`) > 128 THEN 'item has more than 128 characters'
      WHEN `d_time` > unix_millis(timestamp) + 300000L AND NOT coalesce(exists(headers, h -> h.key = 'feed' AND h.value IN (X'7265706C6179', X'64656D6F')), false) THEN 'time is more than 5m0s ahead of its record'
    END AS bad
  FROM (
    SELECT
      *,
      CASE WHEN plain IS NOT NULL THEN coalesce(plain.`id`, '') WHEN odd.`id` IS NULL OR is_variant_null(odd.`id`) THEN '' WHEN schema_of_variant(odd.`id`) = 'STRING' AND NOT contains(CAST(odd.`id` AS STRING), CAST(X'EFBFBFEFBFBEEFBFBF' AS STRING)) THEN CAST(odd.`id` AS STRING) END AS `d_id`,
      CASE WHEN plain IS NOT NULL THEN coalesce(plain.`type`, '') WHEN odd.`type` IS NULL OR is_variant_null(odd.`type`) THEN '' WHEN schema_of_variant(odd.`type`) = 'STRING' AND NOT contains(CAST(odd.`type` AS STRING), CAST(X'EFBFBFEFBFBEEFBFBF' AS STRING)) THEN CAST(odd.`type` AS STRING) END AS `d_type`,
      CASE WHEN plain IS NOT NULL THEN coalesce(plain.`item`, '') WHEN odd.`item` IS NULL OR is_variant_null(odd.`item`) THEN '' WHEN schema_of_variant(odd.`item`) = 'STRING' AND NOT contains(CAST(odd.`item` AS STRING), CAST(X'EFBFBFEFBFBEEFBFBF' AS STRING)) THEN CAST(odd.`item` AS STRING) END AS `d_item`,
      CASE WHEN plain IS NOT NULL THEN plain.`time`
        ELSE CASE WHEN `text_time` IS NULL THEN NULL WHEN `digits_time` = '' THEN 0L
        WHEN `power_time` IS NULL OR `text_time` LIKE '-%' OR `power_time` < 0 OR length(`digits_time`) + `power_time` > 15 THEN -1L
        ELSE CAST(rpad(`digits_time`, CAST(length(`digits_time`) + `power_time` + 0 AS INT), '0') AS BIGINT) END END AS `d_time`
    FROM (
      SELECT
        *,
        CASE WHEN `text_time` RLIKE r'\A-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+\z' THEN trim(BOTH '0' FROM regexp_replace(`text_time`, '[-.]|[eE].*', '')) END AS `digits_time`,
        CASE WHEN `text_time` RLIKE r'\A-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+\z' THEN CASE WHEN `text_time` RLIKE '[eE]' THEN CAST(try_cast(regexp_extract(`text_time`, '[eE](.*)', 1) AS INT) AS BIGINT) ELSE 0L END - length(regexp_extract(`text_time`, '[.]([0-9]*+)', 1))
          + length(regexp_replace(`text_time`, '[-.]|[eE].*', '')) - length(trim(TRAILING '0' FROM regexp_replace(`text_time`, '[-.]|[eE].*', ''))) END AS `power_time`
      FROM (
        SELECT
          *,
          CASE WHEN odd.`time` IS NOT NULL AND NOT is_variant_null(odd.`time`) THEN CAST(odd.`time` AS STRING) END AS `text_time`
        FROM (
          SELECT *
          FROM (
            SELECT *
            FROM (
              SELECT *,
                CASE WHEN octet_length(value) <= 65536 AND is_valid_utf8(value) THEN CAST(value AS STRING) END AS text
              FROM records
            )
            LATERAL VIEW inline(array(struct(
              CASE WHEN text RLIKE r'\A[ \t\r\n]*+\{[ \t\r\n]*+(?:"(?!(?:time)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))*+"|null)|"time"[ \t\r\n]*+:[ \t\r\n]*+(?:[1-9][0-9]{11,14}+)|"(?!(?:time|id|type|item)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:true|false|-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,18}+)?+))(?:[ \t\r\n]*+,[ \t\r\n]*+(?:"(?!(?:time)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))*+"|null)|"time"[ \t\r\n]*+:[ \t\r\n]*+(?:[1-9][0-9]{11,14}+)|"(?!(?:time|id|type|item)")[^"\\\x00-\x1f]*+"[ \t\r\n]*+:[ \t\r\n]*+(?:true|false|-?(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,18}+)?+)))*+[ \t\r\n]*+\}[ \t\r\n]*+\z'
                THEN from_json(text, '`id` STRING, `type` STRING, `item` STRING, `time` BIGINT', map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '!', 'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')) END
            ))) AS plain
          )
          LATERAL VIEW inline(array(struct(
            CASE WHEN plain IS NULL THEN from_json(regexp_replace(regexp_replace(regexp_replace(text, r'(?<!\\)("(?:time)"[ \t\r\n]*+:[ \t\r\n]*+)(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)(?=[ \t\r\n,}\]])', r'$1"$2"'), r'(?<=[:,\[ \t\r\n])(?=[-+.eE0-9]{900})-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?=[ \t\r\n,}\]])', r'0'), r'(?<!\\)((?:\\\\)*+)(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?<!(?<!\\)(?:\\\\){0,99}\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})', r'$1\\uFFFF\\uFFFE\\uFFFF'),
              '`id` VARIANT, `type` VARIANT, `item` VARIANT, `time` VARIANT, `!` STRING', map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', '!', 'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false')) END,
            CASE WHEN plain IS NULL THEN CASE WHEN text RLIKE r'(?s)\A[ \t\r\n]*+\{.*\}[ \t\r\n]*+\z' THEN
              aggregate(regexp_extract_all(regexp_replace(text, r'(?s)"(?:[^"\\]++|\\.)*+"|[^{}\[\]"]++', ''), '.', 0),
                named_struct('level', 0, 'most', 0, 'ends', 0),
                (a, c) -> named_struct('level', a.level + CASE WHEN c IN ('{', '[') THEN 1 WHEN c IN ('}', ']') THEN -1 END,
                  'most', greatest(a.most, a.level + IF(c IN ('{', '['), 1, 0)), 'ends', a.ends + IF(a.level = 1 AND c IN ('}', ']') OR a.level < 0, 1, 0)),
                a -> IF(a.level = 0 AND a.ends = 1, a.most, NULL)) END END
          ))) AS odd, levels
        )
      )
    )
  )
)
WHERE bad IS NOT NULL
