-- What an answer says of each image, by place: higher is better, equal is a tie. The same as
-- campaigns/forms, which a test holds against it. NULL for what is no answer of the form.
-- p_shown: which place was shown at each position.
CREATE OR REPLACE FUNCTION annotation_grades(p_form text, p_answer text, p_shown smallint[])
RETURNS smallint[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    by_position smallint[];
    by_place smallint[];
    tiers text[];
    token text;
    n integer := cardinality(p_shown);
BEGIN
    IF p_form = 'pair' OR p_form = 'pair_both_neither' THEN
        IF n <> 2 OR (p_form = 'pair' AND p_answer IN ('both', 'neither'))
            OR (p_form = 'pair_both_neither' AND p_answer = 'tie') THEN
            RETURN NULL;
        END IF;
        by_position := CASE p_answer
            WHEN 'left' THEN '{1,0}'::smallint[] WHEN 'right' THEN '{0,1}'::smallint[]
            WHEN 'both' THEN '{1,1}'::smallint[]
            WHEN 'tie' THEN '{0,0}'::smallint[] WHEN 'neither' THEN '{0,0}'::smallint[]
        END;
        IF by_position IS NULL THEN
            RETURN NULL;
        END IF;
        RETURN CASE WHEN p_shown[1] = 0 THEN by_position
            ELSE ARRAY[by_position[2], by_position[1]] END;
    ELSIF p_form = 'rating' THEN
        RETURN CASE WHEN n = 1 AND p_answer ~ '^[1-5]$' THEN ARRAY[p_answer::smallint] END;
    ELSIF p_form = 'keep_reject' THEN
        RETURN CASE WHEN n <> 1 THEN NULL WHEN p_answer = 'keep' THEN '{2}'::smallint[]
            WHEN p_answer = 'unsure' THEN '{1}'::smallint[]
            WHEN p_answer = 'reject' THEN '{0}'::smallint[] END;
    ELSIF p_form = 'approve' THEN
        RETURN CASE WHEN n <> 1 THEN NULL WHEN p_answer = 'approve' THEN '{1}'::smallint[]
            WHEN p_answer = 'reject' THEN '{0}'::smallint[] END;
    ELSIF p_form = 'caption' THEN
        -- The answer is the text, which says nothing of how good the image is.
        RETURN CASE WHEN n = 1 AND char_length(p_answer) BETWEEN 1 AND 1000
            AND p_answer = btrim(p_answer) AND p_answer !~
            '[\u0001-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069\uFFF9-\uFFFB]'
            THEN '{0}'::smallint[] END;
    ELSIF p_form = 'ranking' THEN
        IF n NOT BETWEEN 3 AND 8 OR p_answer !~ '^[0-7]([>=][0-7])*$'
            OR length(p_answer) <> 2 * n - 1 THEN
            RETURN NULL;
        END IF;
        by_place := array_fill(NULL::smallint, ARRAY[n]);
        tiers := string_to_array(p_answer, '>');
        FOR tier IN 1..cardinality(tiers) LOOP
            FOREACH token IN ARRAY string_to_array(tiers[tier], '=') LOOP
                IF token::integer >= n THEN
                    RETURN NULL;
                END IF;
                by_place[p_shown[token::integer + 1] + 1] := cardinality(tiers) - tier;
            END LOOP;
        END LOOP;
        -- A position named twice leaves another one without a grade.
        RETURN CASE WHEN array_position(by_place, NULL) IS NULL THEN by_place END;
    END IF;
    RETURN NULL;
END
$$;

-- Whether an order names each place 0 to n - 1 exactly once.
CREATE OR REPLACE FUNCTION annotation_is_order(p_shown smallint[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF p_shown = '{0,1}' OR p_shown = '{1,0}' OR p_shown = '{0}' THEN
        RETURN true;
    END IF;
    RETURN p_shown IS NOT NULL AND cardinality(p_shown) BETWEEN 1 AND 8
        AND ARRAY(SELECT unnest(p_shown) ORDER BY 1)
            = ARRAY(SELECT generate_series(0, cardinality(p_shown) - 1)::smallint);
END
$$;

ALTER TABLE annotation_assignment DROP CONSTRAINT IF EXISTS assignment_order_is_permutation;
ALTER TABLE annotation_assignment ADD CONSTRAINT assignment_order_is_permutation
    CHECK (annotation_is_order("order"));
ALTER TABLE annotation_vote DROP CONSTRAINT IF EXISTS vote_order_is_permutation;
ALTER TABLE annotation_vote ADD CONSTRAINT vote_order_is_permutation
    CHECK (annotation_is_order("order"));
-- Only a text of its author's own is longer than the answers that forms offer.
ALTER TABLE annotation_vote DROP CONSTRAINT IF EXISTS vote_answer_is_no_longer;
ALTER TABLE annotation_vote ADD CONSTRAINT vote_answer_is_no_longer
    CHECK (form = 'caption' OR char_length(answer) <= 40);
ALTER TABLE annotation_vote DROP CONSTRAINT IF EXISTS vote_grades_are_the_answers;
ALTER TABLE annotation_vote ADD CONSTRAINT vote_grades_are_the_answers
    CHECK (grades IS NOT DISTINCT FROM annotation_grades(form, answer, "order"));
