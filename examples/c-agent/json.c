#include "json.h"

#include <string.h>

/* Deeper than any message of the protocol, and shallow enough for the stack. */
enum { DEPTH_MAX = 64 };

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* Each of these returns where the value that starts at `at` ends, or NULL if none does. */
static const char *skip_value(const char *at, const char *end, int depth);

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at++;
    }
    return NULL;
}

/* An object or an array. With `name`, the value of that member of the object is written to `found`. */
static const char *skip_nested(const char *at, const char *end, int depth, const char *name, struct json *found)
{
    int is_object = *at == '{';
    char close = is_object ? '}' : ']';
    if (depth > DEPTH_MAX)
        return NULL;
    at = skip_space(at + 1, end);
    if (at < end && *at == close)
        return at + 1;
    while (at < end) {
        struct json key = { NULL, 0 };
        const char *value;
        if (is_object) {
            key.start = at;
            if (*at != '"' || (at = skip_string(at, end)) == NULL)
                return NULL;
            key.length = (size_t)(at - key.start);
            at = skip_space(at, end);
            if (at == end || *at != ':')
                return NULL;
            at = skip_space(at + 1, end);
        }
        value = at;
        if ((at = skip_value(at, end, depth + 1)) == NULL)
            return NULL;
        if (name != NULL && json_is(key, name)) {
            found->start = value;
            found->length = (size_t)(at - value);
        }
        at = skip_space(at, end);
        if (at < end && *at == close)
            return at + 1;
        if (at == end || *at != ',')
            return NULL;
        at = skip_space(at + 1, end);
    }
    return NULL;
}

static const char *skip_value(const char *at, const char *end, int depth)
{
    const char *start = at;
    if (at == end)
        return NULL;
    if (*at == '"')
        return skip_string(at, end);
    if (*at == '{' || *at == '[')
        return skip_nested(at, end, depth, NULL, NULL);
    while (at < end && *at != '\0' && strchr("+-.0123456789aEeflnrstu", *at) != NULL)
        at++;
    return at > start ? at : NULL;
}

struct json json_parse(const char *text, size_t length)
{
    const char *end = text + length, *start = skip_space(text, end), *after = skip_value(start, end, 0);
    struct json value = { NULL, 0 };
    if (after != NULL && skip_space(after, end) == end) {
        value.start = start;
        value.length = (size_t)(after - start);
    }
    return value;
}

struct json json_member(struct json object, const char *name)
{
    struct json found = { NULL, 0 };
    if (object.start != NULL && *object.start == '{')
        skip_nested(object.start, object.start + object.length, 0, name, &found);
    return found;
}

int json_is(struct json value, const char *text)
{
    size_t length = strlen(text);
    return value.start != NULL && value.length == length + 2 && *value.start == '"' &&
           memcmp(value.start + 1, text, length) == 0;
}

long json_number(struct json value, long otherwise)
{
    long number = 0;
    size_t at;
    if (value.start == NULL || value.length == 0 || value.length > 9)
        return otherwise;
    for (at = 0; at < value.length; at++) {
        if (value.start[at] < '0' || value.start[at] > '9')
            return otherwise;
        number = number * 10 + (value.start[at] - '0');
    }
    return number;
}
