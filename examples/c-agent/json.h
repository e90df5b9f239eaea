/* As much of JSON as an agent needs: finding a value in a text. */

#ifndef JSON_H
#define JSON_H

#include <stddef.h>

/* A value as it stands in the text; `start` is NULL where there is none. */
struct json {
    const char *start;
    size_t length;
};

/* The text of `length` bytes as one value, without the space around it. Nothing if it is not JSON. */
struct json json_parse(const char *text, size_t length);

/* The value of a member of an object; nothing if this is no object or has no such member. */
struct json json_member(struct json object, const char *name);

/* Whether this is the string `text`, written without escapes. */
int json_is(struct json value, const char *text);

/* A number that is not negative; `otherwise` if this is none. */
long json_number(struct json value, long otherwise);

#endif
