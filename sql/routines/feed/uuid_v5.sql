-- Name something by a UUID of version 5 (RFC 9562): the SHA-1 of namespace and name, the same wherever it is computed.
--
-- PostgreSQL has no SHA-1 of its own and its extensions are not everywhere. This is FIPS 180-4, with words of 32 bits as
-- bigints; a name of up to 39 bytes is one block.
CREATE OR REPLACE FUNCTION renewer.uuid_v5(namespace uuid, name text)
RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    full_word CONSTANT bigint := 4294967295;
    message bytea := pg_catalog.uuid_send(namespace) || pg_catalog.convert_to(name, 'UTF8');
    size    integer := pg_catalog.length(message);
    words   bigint[];
    word    bigint;
    h0      bigint := 1732584193;
    h1      bigint := 4023233417;
    h2      bigint := 2562383102;
    h3      bigint := 271733878;
    h4      bigint := 3285377520;
    a       bigint;
    b       bigint;
    c       bigint;
    d       bigint;
    e       bigint;
    mixed   bigint;
    digest  text;
BEGIN
    -- Filled up to whole blocks of 64 bytes: a bit that is set, zeros, and the length in bits.
    message := message || '\x80' || pg_catalog.decode(pg_catalog.repeat('00', (119 - size % 64) % 64), 'hex')
        || pg_catalog.int8send(size * 8);
    FOR block IN 0 .. pg_catalog.length(message) / 64 - 1 LOOP
        FOR i IN 0 .. 15 LOOP
            words[i] := ('x' || pg_catalog.encode(pg_catalog.substr(message, block * 64 + i * 4 + 1, 4), 'hex'))::bit(32)::bigint;
        END LOOP;
        FOR i IN 16 .. 79 LOOP
            word := words[i - 3] # words[i - 8] # words[i - 14] # words[i - 16];
            words[i] := ((word << 1) | (word >> 31)) & full_word;
        END LOOP;
        a := h0; b := h1; c := h2; d := h3; e := h4;
        FOR i IN 0 .. 79 LOOP
            IF i < 20 THEN
                mixed := (d # (b & (c # d))) + 1518500249;
            ELSIF i < 40 THEN
                mixed := (b # c # d) + 1859775393;
            ELSIF i < 60 THEN
                mixed := ((b & c) | (d & (b | c))) + 2400959708;
            ELSE
                mixed := (b # c # d) + 3395469782;
            END IF;
            mixed := ((((a << 5) | (a >> 27)) & full_word) + mixed + e + words[i]) & full_word;
            e := d;
            d := c;
            c := ((b << 30) | (b >> 2)) & full_word;
            b := a;
            a := mixed;
        END LOOP;
        h0 := (h0 + a) & full_word;
        h1 := (h1 + b) & full_word;
        h2 := (h2 + c) & full_word;
        h3 := (h3 + d) & full_word;
        h4 := (h4 + e) & full_word;
    END LOOP;
    -- 128 of its 160 bits, six of which tell version and variant.
    h1 := (h1 & 4294905855) | 20480;
    h2 := (h2 & 1073741823) | 2147483648;
    digest := pg_catalog.lpad(pg_catalog.to_hex(h0), 8, '0') || pg_catalog.lpad(pg_catalog.to_hex(h1), 8, '0')
        || pg_catalog.lpad(pg_catalog.to_hex(h2), 8, '0') || pg_catalog.lpad(pg_catalog.to_hex(h3), 8, '0');
    RETURN digest::uuid;
END
$$;
COMMENT ON FUNCTION renewer.uuid_v5 IS 'a UUID of version 5 (RFC 9562): always the same for a namespace and a name';
